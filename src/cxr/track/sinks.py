"""Where a run can be followed besides its folder; none of them can hold up or end a training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import util
from pathlib import Path
from typing import Any, Protocol

from .._io import say
from ..config import RunConfig
from ..errors import UnknownName, UsageError
from .figures import Figures
from .mlflow_sink import MlflowSink
from .tensorboard_sink import TensorBoardSink
from .words import reason


class Result(Protocol):
    """What a finished run left behind: `pipeline.RunResult`."""

    @property
    def folder(self) -> Path: ...

    @property
    def metrics(self) -> dict[str, Any]: ...


class Sink(Protocol):
    """May raise anything, and must not wait long. `begin` may be called again after a failure."""

    name: str

    def begin(self, config: RunConfig, run: Path) -> int:
        """Takes up the run. Returns the last step that is there already, or -1."""

    def epoch(self, step: int, figures: Figures, when: float) -> None:
        """`step` counts epochs over all phases from 0; `when` in seconds since 1970."""

    def finished(self, result: Result) -> None:
        """What the run came to. May be called again for the same result."""

    def close(self, state: str) -> None:
        """The last call: `finished`, `stopped` or `failed`."""


SINKS: dict[str, Callable[[str], Sink]] = {
    "mlflow": MlflowSink,
    "tensorboard": TensorBoardSink,
}
# Any of the packages will do.
NEEDS = {"mlflow": ("mlflow",), "tensorboard": ("tensorboard", "tensorboardX")}


def check_sinks(sinks: Sequence[str]) -> None:
    """Before training: raises UnknownName for a sink that there is not, UsageError for a package
    that is missing or an option that means nothing."""
    make_sinks(sinks)


def make_sinks(sinks: Sequence[str]) -> list[Guarded]:
    """`mlflow`, `mlflow:URI#EXPERIMENT`, `tensorboard`; each once. Errors as `check_sinks`."""
    return [Guarded(_make(text)) for text in dict.fromkeys(sinks)]


def _make(text: str) -> Sink:
    kind, _, rest = text.partition(":")
    if kind not in SINKS:
        raise UnknownName("sink", kind, SINKS, "give --track mlflow[:URI] or --track tensorboard")
    if not any(util.find_spec(package) for package in NEEDS[kind]):
        raise UsageError(
            f'--track {kind} needs {NEEDS[kind][0]}, which is not installed; run: pip install "cxr'
            '[track]"'
        )
    return SINKS[kind](rest)


class Guarded:
    """A sink that is left alone once it has failed (`down`), which is said in a line.

    `done` is the last step that it holds.
    """

    def __init__(self, sink: Sink) -> None:
        self.sink, self.down, self.done = sink, False, -1

    def attempt(self, else_: str, what: Callable[..., object], *given: Any) -> bool:
        """Whether `what(*given)` worked; a failure is said, with what comes of it."""
        try:
            what(*given)
        except Exception as error:
            self.down = True
            say(f"{self.sink.name}: {reason(error)}; {else_}")
            return False
        return True

    def epoch(self, step: int, figures: Figures, when: float) -> None:
        """Told once, whoever trains it again."""
        if step > self.done:
            self.sink.epoch(step, figures, when)
            self.done = step
