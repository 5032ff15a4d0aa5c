"""What the loop calls between epochs, and between steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from .learner import Learner
    from .resume.snapshot import Snapshot


class Callback(Protocol):
    def after_epoch(self, learner: Learner, epoch: int) -> bool:
        """Returns True to end the fit."""

    def after_fit(self, learner: Learner) -> None: ...


@runtime_checkable
class Keeper(Protocol):
    """A callback that is also asked inside epochs; `take` copies the state as it is then."""

    def before_steps(self) -> None: ...

    def after_step(self, take: Callable[[], Snapshot]) -> None: ...
