"""What happened during training, step by step and epoch by epoch, and its curves."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .._io.figure import new_figure
from .suggest import SuggestedRates

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SMOOTHING = 0.98


class SmoothLoss:
    """Exponential mean of the batch losses, corrected for its start (as fast.ai shows it)."""

    def __init__(self, beta: float = SMOOTHING) -> None:
        self.beta, self.count, self.total = beta, 0, 0.0

    def add(self, loss: float) -> float:
        self.count += 1
        self.total = self.beta * self.total + (1 - self.beta) * loss
        return self.total / (1 - self.beta**self.count)


class StepRecord(NamedTuple):
    """What a recorder holds, to be kept in a file: `steps` float64 (3, n) rate, momentum, loss."""

    steps: np.ndarray
    values: list[list[float]]
    times: list[float]
    epoch_ends: list[int]


@dataclass
class Recorder:
    """One fit: a rate, momentum and smoothed loss for each step, a row of values for each epoch."""

    metric_names: tuple[str, ...] = ()
    lrs: list[float] = field(default_factory=list)
    moms: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    raw_losses: list[float] = field(default_factory=list)
    values: list[list[float]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    epoch_ends: list[int] = field(default_factory=list)
    suggestions: SuggestedRates | None = None

    def __post_init__(self) -> None:
        self._smooth = SmoothLoss()

    def step(self, lr: float, momentum: float, loss: float) -> float:
        self.lrs.append(lr)
        self.moms.append(momentum)
        self.raw_losses.append(loss)
        self.losses.append(self._smooth.add(loss))
        return self.losses[-1]

    def epoch(self, valid_loss: float, metrics: list[float], seconds: float) -> None:
        self.values.append([self.losses[-1], valid_loss, *metrics])
        self.times.append(seconds)
        self.epoch_ends.append(len(self.losses))

    def record(self) -> StepRecord:
        """A copy, which later steps do not change."""
        steps = np.array([self.lrs, self.moms, self.raw_losses], dtype=np.float64)
        return StepRecord(steps, list(self.values), list(self.times), list(self.epoch_ends))

    def restore(self, record: StepRecord) -> None:
        """Into a new recorder; the smoothed losses follow from the others."""
        for lr, momentum, loss in record.steps.T.tolist():
            self.step(lr, momentum, loss)
        self.values, self.times = list(record.values), list(record.times)
        self.epoch_ends = list(record.epoch_ends)

    @property
    def columns(self) -> tuple[str, ...]:
        return ("epoch", "train_loss", "valid_loss", *self.metric_names, "time")

    def plot(self, skip_end: int = 5) -> Figure:
        """The range test's curve: loss over rate, with the suggestions where there are some."""
        figure, axis = _axis()
        axis.plot(self.lrs[: -skip_end or None], self.losses[: -skip_end or None])
        axis.set(xscale="log", xlabel="learning rate", ylabel="loss")
        if self.suggestions is not None:
            for name, rate in self.suggestions._asdict().items():
                loss = float(np.interp(math.log(rate), np.log(self.lrs), self.losses))
                axis.plot(rate, loss, "o", label=f"{name} {rate:.1e}")
            axis.legend()
        return figure

    def plot_loss(self, skip_start: int = 5, with_valid: bool = True) -> Figure:
        """Smoothed training loss over steps, validation loss at the end of each epoch."""
        figure, axis = _axis()
        steps = range(skip_start, len(self.losses))
        axis.plot(steps, self.losses[skip_start:], label="train")
        if with_valid and self.values:
            axis.plot(self.epoch_ends, [row[1] for row in self.values], "o-", label="valid")
        axis.set(xlabel="step", ylabel="loss")
        axis.legend()
        return figure

    def plot_sched(self) -> Figure:
        """The head's learning rate and the momentum over steps."""
        figure = new_figure((9, 3.2))
        left, right = figure.subplots(1, 2)
        left.plot(self.lrs)
        left.set(xlabel="step", ylabel="learning rate")
        right.plot(self.moms)
        right.set(xlabel="step", ylabel="momentum")
        return figure


def _axis() -> tuple[Figure, Axes]:
    figure = new_figure((6, 4))
    axis = figure.subplots()
    axis.grid(alpha=0.3)
    return figure, axis
