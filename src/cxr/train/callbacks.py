"""What a fit calls on its way: the base class, early stopping, keeping the best weights."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol

from torch import Tensor, nn

from .._io import say
from ..errors import UsageError
from .resume.snapshot import Snapshot
from .state import TrainingState

SMALLER_IS_BETTER = ("loss", "error_rate")


class Callback(Protocol):
    """The hooks of a fit, by fast.ai's names; each does nothing unless a subclass overrides it.

    `learner` is the learner that trains.
    """

    def before_train(self, learner: TrainingState) -> None:
        """Before the first training step of an epoch."""
        return None

    def after_batch(self, learner: TrainingState, snapshot: Callable[[], Snapshot]) -> None:
        """After each training step; `snapshot()` copies the state as it is then."""
        return None

    def after_epoch(self, learner: TrainingState, epoch: int) -> bool:
        """After the validation of an epoch. Returns True to end the fit."""
        return False

    def after_fit(self, learner: TrainingState) -> None:
        """After the last epoch."""
        return None


def copy_of_weights(network: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}


class _Monitor:
    """Follows one column of the epoch table."""

    def __init__(self, column: str, min_delta: float = 0.0) -> None:
        self.column, self.min_delta = column, min_delta
        self.sign = -1 if column.endswith(SMALLER_IS_BETTER) else 1
        self.best: float | None = None

    def value(self, learner: TrainingState) -> float:
        columns = learner.recorder.columns[1:-1]
        if self.column not in columns:
            raise UsageError(f"nothing called {self.column!r} to monitor; use {', '.join(columns)}")
        return learner.recorder.values[-1][columns.index(self.column)]

    def improved(self, learner: TrainingState) -> bool:
        value = self.sign * self.value(learner)
        if self.best is None or math.isnan(self.best) or value > self.best + self.min_delta:
            self.best = value
            return True
        return False


class EarlyStopping(Callback):
    """Ends a fit after `patience` epochs without improvement of `monitor`; the next counts anew."""

    def __init__(
        self, monitor: str = "valid_loss", min_delta: float = 0.0, patience: int = 1
    ) -> None:
        self.monitor = _Monitor(monitor, min_delta)
        self.patience, self.waited = patience, 0

    def after_epoch(self, learner: TrainingState, epoch: int) -> bool:
        self.waited = 0 if self.monitor.improved(learner) else self.waited + 1
        if self.waited >= self.patience:
            say(f"stopped early: {self.monitor.column} has not improved for {self.waited} epochs")
            return True
        return False

    def after_fit(self, learner: TrainingState) -> None:
        self.monitor.best, self.waited = None, 0


class SaveBest(Callback):
    """Keeps the weights of the best epoch by `monitor`: on disk as `name`, loaded after the fit.

    In a run of several fits (`fine_tune`) it is the best epoch of all.
    """

    def __init__(self, monitor: str = "valid_loss", name: str = "best") -> None:
        self.monitor, self.name = _Monitor(monitor), name

    def after_epoch(self, learner: TrainingState, epoch: int) -> bool:
        if self.monitor.improved(learner):
            self.weights = copy_of_weights(learner.model)
            learner.save(self.name)
        return False

    def after_fit(self, learner: TrainingState) -> None:
        learner.model.load_state_dict(self.weights)


EarlyStoppingCallback = EarlyStopping
SaveModelCallback = SaveBest
