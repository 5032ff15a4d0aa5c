"""Checkpoints of a run folder: the last epoch, to continue from, and the best, to export."""

from __future__ import annotations

import math
from pathlib import Path

from .._io import say, write_text
from ..errors import BundleError
from .checkpoint import load_training, load_weights, save_training, save_weights
from .learner import Learner
from .recipe import Position

Row = list[float]


class KeepCheckpoints:
    """After each epoch: `checkpoints/last`, `best` by validation loss, and `history.csv`."""

    def __init__(self, run: Path) -> None:
        self.last = run / "checkpoints" / "last.safetensors"
        self.best = run / "checkpoints" / "best.safetensors"
        self.history_file = run / "history.csv"
        self.history: list[Row] = []
        self.best_loss = math.inf

    def after_epoch(self, learner: Learner, epoch: int) -> bool:
        values, seconds = learner.recorder.values[-1], learner.recorder.times[-1]
        self.history.append([learner.fits - 1, epoch, *values, seconds])
        if values[1] < self.best_loss:
            self.best_loss = values[1]
            save_weights(learner.model, self.best, {})
        self._write_history(learner.metric_names)
        if learner.optimizer is not None:
            facts = {"phase": learner.fits - 1, "epoch": epoch, "history": self.history}
            save_training(learner.model, learner.optimizer, self.last, facts)
        return False

    def after_fit(self, learner: Learner) -> None:
        pass

    def load_best(self, learner: Learner) -> None:
        load_weights(learner.model, self.best, {})

    def resume(self, learner: Learner) -> Position:
        """Puts `last` into the learner. Returns the next epoch; the start when there is none."""
        if not self.last.is_file():
            return Position()
        weights, moments, facts = load_training(self.last)
        try:
            learner.model.load_state_dict(weights)
            phase, epoch, self.history = facts["phase"], facts["epoch"], facts["history"]
        except (RuntimeError, KeyError) as error:
            raise BundleError(
                f"{self.last} is of another network; train in a new folder"
            ) from error
        self.best_loss = min(row[3] for row in self.history)
        learner.fits = phase  # the interrupted fit counts again when it goes on
        learner.optimizer_moments = moments
        say(f"going on after epoch {epoch} of phase {phase} ({self.last})")
        return Position(phase, epoch + 1)

    def _write_history(self, metric_names: tuple[str, ...]) -> None:
        names = ("phase", "epoch", "train_loss", "valid_loss", *metric_names, "seconds")
        rows = [",".join(_cell(value) for value in row) for row in self.history]
        write_text(self.history_file, "\n".join([",".join(names), *rows]) + "\n")


def _cell(value: float) -> str:
    if isinstance(value, int):
        return str(value)
    return f"{value:.6f}" if math.isfinite(value) else ""
