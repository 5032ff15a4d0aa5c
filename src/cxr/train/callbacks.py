"""What may happen between epochs: stop early, keep the best weights."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from .._io import say
from ..errors import UsageError
from .fit import copy_of_weights

if TYPE_CHECKING:
    from .learner import Learner

SMALLER_IS_BETTER = ("loss", "error_rate")


class _Tracker:
    """Follows one column of the epoch table."""

    def __init__(self, monitor: str, min_delta: float = 0.0) -> None:
        self.monitor, self.min_delta = monitor, min_delta
        self.sign = -1 if monitor.endswith(SMALLER_IS_BETTER) else 1
        self.best: float | None = None

    def value(self, learner: Learner) -> float:
        columns = learner.recorder.columns[1:-1]
        if self.monitor not in columns:
            raise UsageError(
                f"nothing called {self.monitor!r} to monitor; use {', '.join(columns)}"
            )
        return learner.recorder.values[-1][columns.index(self.monitor)]

    def improved(self, learner: Learner) -> bool:
        value = self.sign * self.value(learner)
        if self.best is None or math.isnan(self.best) or value > self.best + self.min_delta:
            self.best = value
            return True
        return False


class EarlyStopping:
    """Ends a fit after `patience` epochs without improvement of `monitor`; the next counts anew."""

    def __init__(
        self, monitor: str = "valid_loss", min_delta: float = 0.0, patience: int = 1
    ) -> None:
        self.tracker = _Tracker(monitor, min_delta)
        self.patience, self.waited = patience, 0

    def after_epoch(self, learner: Learner, epoch: int) -> bool:
        self.waited = 0 if self.tracker.improved(learner) else self.waited + 1
        if self.waited >= self.patience:
            say(f"stopped early: {self.tracker.monitor} has not improved for {self.waited} epochs")
            return True
        return False

    def after_fit(self, learner: Learner) -> None:
        self.tracker.best, self.waited = None, 0


class SaveBest:
    """Keeps the weights of the best epoch by `monitor`: on disk as `name`, loaded after the fit.

    In a run of several fits (`fine_tune`) it is the best epoch of all.
    """

    def __init__(self, monitor: str = "valid_loss", name: str = "best") -> None:
        self.tracker, self.name = _Tracker(monitor), name

    def after_epoch(self, learner: Learner, epoch: int) -> bool:
        if self.tracker.improved(learner):
            self.weights = copy_of_weights(learner.model)
            learner.save(self.name)
        return False

    def after_fit(self, learner: Learner) -> None:
        learner.model.load_state_dict(self.weights)


EarlyStoppingCallback = EarlyStopping
SaveModelCallback = SaveBest
