"""Checkpoints of a run folder: the last states, to continue from, and the best, to export."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

import torch
from torch import Tensor

from ..._io import say, write_text
from ..._io.run_files import CHECKPOINTS, HISTORY
from ...errors import BundleError, StorageError, UsageError
from ..callbacks import Callback
from ..state import TrainingState
from .background_writer import BackgroundWriter
from .checkpoint import load_training, load_weights, read_tensors, save_training, write_tensors
from .image_checksums import image_checksums, refuse_other_images
from .snapshot import Position, Snapshot
from .stop import Stop

Row = list[float]

SECONDS = 30.0
NO_EPOCH = (-math.inf, -math.inf)
SHARE = 0.01  # of the time, at most, that goes into states kept inside epochs


class CheckpointCallback(Callback):
    """`checkpoints/last` after each epoch and every `seconds` inside; `previous` is the one before.

    Beside them `best`, by the validation AUROC where it is among the metrics, else by the loss, and
    `history.csv`. A loss before calibration would throw away epochs that rank better at a shifted
    level. Training goes on while they are written, and writes them less often where that would take
    more than SHARE of the time. When `stop` was requested, the state is kept and Stopped raised. To
    be closed (`with`). `on_saved` gets phase, epoch, step and whether these are the best weights,
    in the thread that writes.
    """

    def __init__(self, run: Path, seconds: float = SECONDS, stop: Stop | None = None) -> None:
        folder = run / CHECKPOINTS
        self.last = folder / "last.safetensors"
        self.previous = folder / "previous.safetensors"
        self.best = folder / "best.safetensors"
        self.history_file = run / HISTORY
        self.history: list[Row] = []
        self._best = NO_EPOCH
        self.seconds, self.stop = seconds, stop or Stop()
        self.on_saved: Callable[[int, int, int, bool], None] | None = None
        self._writer = BackgroundWriter()
        self._writes_inside_epoch = False
        self._last_is_whole = False
        self._checksums: dict[str, Tensor] = {}
        self._made_with: dict[str, Any] = {}
        self._next = math.inf
        self._waited = 0.0

    def __enter__(self) -> CheckpointCallback:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._writer.close()
        try:
            self._settle()
        except StorageError as failed:
            if error is None:
                raise
            say(f"{failed}")

    # Called by the fit -------------------------------------------------------------------------

    def before_train(self, learner: TrainingState) -> None:
        self.stop.defers = True
        self._next = time.monotonic() + self._interval

    def after_batch(self, learner: TrainingState, snapshot: Callable[[], Snapshot]) -> None:
        due = time.monotonic() >= self._next and not self._writer.busy
        stops = self.stop.requested()
        if not due and not stops:
            return
        start = time.monotonic()
        self._save(snapshot(), inside_epoch=True)
        self._waited = time.monotonic() - start
        self._next = time.monotonic() + self._interval
        if stops:
            self._end()

    def after_epoch(self, learner: TrainingState, epoch: int) -> bool:
        values, seconds = learner.recorder.values[-1], learner.recorder.times[-1]
        self.history.append([learner.fits - 1, epoch, *values, seconds])
        snapshot = learner.snapshot(epoch + 1)
        quality = _quality(self.history[-1], learner.metric_names)
        better = quality > self._best
        self._settle()
        self._write_history(learner.metric_names)
        self._save(snapshot, best=better)
        if better:
            self._best = quality
        if self.stop.requested():
            self._end()
        self.stop.defers = False
        return False

    @property
    def _interval(self) -> float:
        return max(self.seconds, (self._waited + self._writer.cost) / SHARE)

    # Called by the run -------------------------------------------------------------------------

    def load_best(self, learner: TrainingState) -> None:
        """Puts the weights of the best epoch into the learner, and says which that is."""
        self._settle()
        load_weights(learner.model, self.best, {})
        rows = self.history
        at = max(range(len(rows)), key=lambda i: _quality(rows[i], learner.metric_names))
        auroc, negative_loss = _quality(rows[at], learner.metric_names)
        why = f"AUROC {auroc:.4f}" if auroc >= 0 else f"loss {-negative_loss:.4f}"
        say(f"kept: epoch {at + 1} of {len(rows)}, the best by validation {why}")

    def resume(self, learner: TrainingState) -> Position:
        """Puts the newest whole state into the learner. Returns where it was; else the start.

        Raises DataError when an image has changed since, BundleError for another network.
        """
        self._checksums = image_checksums(learner.dls)
        self._made_with = _made_with(learner)
        newest = self._newest_whole()
        if newest is None:
            return Position()
        path, snapshot, facts = newest
        try:
            position = learner.restore(snapshot)
        except RuntimeError as error:
            raise BundleError(f"{path} is of another network; train in a new folder") from error
        refuse_other_images(snapshot.images, self._checksums, learner.dls)
        self._last_is_whole = path == self.last
        self.history = facts["history"]
        names = learner.metric_names
        self._best = max((_quality(row, names) for row in self.history), default=NO_EPOCH)
        self._write_history(learner.metric_names)
        place = f"step {snapshot.step} of epoch {len(self.history) + 1}"
        say(f"going on at {place} ({path})")
        _say_differences(facts["made_with"], self._made_with)
        return position

    def _newest_whole(self) -> tuple[Path, Snapshot, dict[str, Any]] | None:
        there = [path for path in (self.last, self.previous) if path.is_file()]
        for path in there:
            try:
                snapshot, facts = load_training(path)
            except BundleError:
                say(f"{path} is damaged and left aside")
                continue
            if not facts["history"] or self._best_is_whole():
                return path, snapshot, facts
        if there:
            say("no whole state is left; the run begins at its start and ends with the same result")
        return None

    def _best_is_whole(self) -> bool:
        try:
            read_tensors(self.best)
        except (BundleError, UsageError):
            say(f"{self.best} is damaged; what came after it cannot be used")
            return False
        return True

    # Writing -----------------------------------------------------------------------------------

    def _save(self, snapshot: Snapshot, *, best: bool = False, inside_epoch: bool = False) -> None:
        """Begins to write, once what was written before is on the disk."""
        self._settle()
        self._writes_inside_epoch = inside_epoch
        facts = {"history": list(self.history), "made_with": self._made_with}
        snapshot = replace(snapshot, images=self._checksums)
        self._writer.start(partial(self._write, snapshot, facts, best))

    def _write(self, snapshot: Snapshot, facts: dict[str, Any], best: bool) -> None:
        if best:
            write_tensors(self.best, snapshot.weights, {})
        previous = self.previous if self._last_is_whole else None
        save_training(snapshot, self.last, facts, previous)
        self._last_is_whole = True
        if self.on_saved is not None:
            self.on_saved(snapshot.phase, snapshot.epoch, snapshot.step, best)

    def _settle(self) -> None:
        """Waits for what is being written. A state inside an epoch can be done without."""
        error = self._writer.wait()
        if isinstance(error, StorageError) and self._writes_inside_epoch:
            reason = str(error).partition(";")[0]
            say(f"{reason}: the state before is kept, and training goes on")
        elif error is not None:
            raise error

    def _end(self) -> None:
        self._settle()
        self.stop.raise_if_requested()

    def _write_history(self, metric_names: tuple[str, ...]) -> None:
        names = ("phase", "epoch", "train_loss", "valid_loss", *metric_names, "seconds")
        rows = [",".join(_cell(value) for value in row) for row in self.history]
        write_text(self.history_file, "\n".join([",".join(names), *rows]) + "\n")


def _made_with(learner: TrainingState) -> dict[str, Any]:
    """What arithmetic depends on, to its last digits."""
    return {
        "torch": torch.__version__,
        "device": learner.device.type,
        "threads": torch.get_num_threads(),
        "processes": learner.group.size,
    }


def _say_differences(before: dict[str, Any], now: dict[str, Any]) -> None:
    changed = [
        f"{name} {old} (now {now[name]})" for name, old in before.items() if now.get(name) != old
    ]
    if changed:
        say(f"begun with {', '.join(changed)}: the result may differ in its last digits")


def _cell(value: float) -> str:
    if isinstance(value, int):
        return str(value)
    return f"{value:.6f}" if math.isfinite(value) else ""


def _quality(row: Row, metric_names: tuple[str, ...]) -> tuple[float, float]:
    """Validation AUROC, or -1 where there is none, then minus the validation loss: to be compared.

    `row` is phase, epoch, training and validation loss, one value a metric, seconds.
    """
    values = dict(zip(metric_names, row[4:], strict=False))
    auroc = values.get("auroc", math.nan)
    return (-1.0 if math.isnan(auroc) else auroc), -row[3]
