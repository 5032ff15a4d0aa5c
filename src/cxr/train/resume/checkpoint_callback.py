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
from ..distributed.followers import adopt
from ..learner import Learner
from ..recipe import Position
from ..writer import Writer
from .checkpoint import load_training, load_weights, read_tensors, save_training, write_tensors
from .image_checksums import image_checksums, refuse_other_images
from .snapshot import Snapshot, take_snapshot
from .stop import Stop

Row = list[float]

SECONDS = 30.0
SHARE = 0.01  # of the time, at most, that goes into states kept inside epochs


class CheckpointCallback:
    """`checkpoints/last` after each epoch and every `seconds` inside; `previous` is the one before.

    Beside them `best` by validation loss, and `history.csv`. Training goes on while they are
    written, and writes them less often where that would take more than SHARE of the time. When
    `stop` was asked for, the state is kept and Stopped raised. To be closed (`with`).
    """

    def __init__(self, run: Path, seconds: float = SECONDS, stop: Stop | None = None) -> None:
        folder = run / CHECKPOINTS
        self.last = folder / "last.safetensors"
        self.previous = folder / "previous.safetensors"
        self.best = folder / "best.safetensors"
        self.history_file = run / HISTORY
        self.history: list[Row] = []
        self.best_loss = math.inf
        self.seconds, self.stop = seconds, stop or Stop()
        self.on_saved: Callable[[int, int, int, bool], None] | None = None
        self._writer = Writer()
        self._inside = False  # an epoch, is what is being written
        self._last_is_whole = False
        self._sums: dict[str, Tensor] = {}
        self._made_with: dict[str, Any] = {}
        self._next = math.inf
        self._held_up = 0.0

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

    def before_steps(self) -> None:
        self.stop.waits = True
        self._next = time.monotonic() + self._interval

    def after_step(self, take: Callable[[], Snapshot]) -> None:
        due = time.monotonic() >= self._next and not self._writer.busy
        told = self.stop.told()
        if not due and not told:
            return
        start = time.monotonic()
        self._keep(take(), inside=True)
        self._held_up = time.monotonic() - start
        self._next = time.monotonic() + self._interval
        if told:
            self._obey()

    def after_epoch(self, learner: Learner, epoch: int) -> bool:
        values, seconds = learner.recorder.values[-1], learner.recorder.times[-1]
        self.history.append([learner.fits - 1, epoch, *values, seconds])
        state = take_snapshot(learner, epoch + 1)
        better = values[1] < self.best_loss
        self._settle()
        self._write_history(learner.metric_names)
        self._keep(state, best=better)
        if better:
            self.best_loss = values[1]
        if self.stop.told():
            self._obey()
        self.stop.waits = False
        return False

    def after_fit(self, learner: Learner) -> None:
        pass

    @property
    def _interval(self) -> float:
        return max(self.seconds, (self._held_up + self._writer.cost) / SHARE)

    # Called by the run -------------------------------------------------------------------------

    def load_best(self, learner: Learner) -> None:
        self._settle()
        load_weights(learner.model, self.best, {})

    def resume(self, learner: Learner) -> Position:
        """Puts the newest whole state into the learner. Returns where it was; else the start.

        Raises DataError when an image has changed since, BundleError for another network.
        """
        self._sums = image_checksums(learner.dls)
        self._made_with = _made_with(learner)
        found = self._newest_whole()
        if found is None:
            return Position()
        path, state, facts = found
        try:
            position = adopt(state, learner)
        except RuntimeError as error:
            raise BundleError(f"{path} is of another network; train in a new folder") from error
        refuse_other_images(state.images, self._sums, learner.dls)
        self._last_is_whole = path == self.last
        self.history = facts["history"]
        self.best_loss = min((row[3] for row in self.history), default=math.inf)
        self._write_history(learner.metric_names)
        say(f"going on at step {state.step} of epoch {state.epoch}, phase {state.phase} ({path})")
        _say_differences(facts["made_with"], self._made_with)
        return position

    def _newest_whole(self) -> tuple[Path, Snapshot, dict[str, Any]] | None:
        there = [path for path in (self.last, self.previous) if path.is_file()]
        for path in there:
            try:
                state, facts = load_training(path)
            except BundleError:
                say(f"{path} is damaged and left aside")
                continue
            if not facts["history"] or self._best_is_whole():
                return path, state, facts
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

    def _keep(self, state: Snapshot, *, best: bool = False, inside: bool = False) -> None:
        """Begins to write, once what was written before is on the disk."""
        self._settle()
        self._inside = inside
        facts = {"history": list(self.history), "made_with": self._made_with}
        self._writer.start(partial(self._write, replace(state, images=self._sums), facts, best))

    def _write(self, state: Snapshot, facts: dict[str, Any], best: bool) -> None:
        if best:
            write_tensors(self.best, state.weights, {})
        previous = self.previous if self._last_is_whole else None
        save_training(state, self.last, facts, previous)
        self._last_is_whole = True
        if self.on_saved is not None:
            self.on_saved(state.phase, state.epoch, state.step, best)

    def _settle(self) -> None:
        """Waits for what is being written. A state inside an epoch can be done without."""
        error = self._writer.wait()
        if isinstance(error, StorageError) and self._inside:
            reason = str(error).partition(";")[0]
            say(f"{reason}: the state before is kept, and training goes on")
        elif error is not None:
            raise error

    def _obey(self) -> None:
        self._settle()
        self.stop.obey()

    def _write_history(self, metric_names: tuple[str, ...]) -> None:
        names = ("phase", "epoch", "train_loss", "valid_loss", *metric_names, "seconds")
        rows = [",".join(_cell(value) for value in row) for row in self.history]
        write_text(self.history_file, "\n".join([",".join(names), *rows]) + "\n")


def _made_with(learner: Learner) -> dict[str, Any]:
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
