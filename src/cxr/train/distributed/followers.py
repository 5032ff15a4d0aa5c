"""The processes of a group that follow the one with the run folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from ..callbacks import Callback
from ..resume.checkpoint import load_training, save_training
from ..resume.snapshot import Position, Snapshot
from ..resume.stop import Stop
from ..state import TrainingState


class FollowerCallback(Callback):
    """What the other processes of a group have in the place of `CheckpointCallback`."""

    def __init__(self, stop: Stop) -> None:
        self.stop = stop

    def before_train(self, learner: TrainingState) -> None:
        self.stop.defers = True

    def after_batch(self, learner: TrainingState, snapshot: Callable[[], Snapshot]) -> None:
        if self.stop.requested():
            self.stop.raise_if_requested()

    def after_epoch(self, learner: TrainingState, epoch: int) -> bool:
        if self.stop.requested():
            self.stop.raise_if_requested()
        self.stop.defers = False
        return False


def share_leader_snapshot(state: TrainingState) -> Position:
    """The snapshot that the leading process goes on from, in all others, too."""
    with TemporaryDirectory(prefix="cxr-state-") as folder:
        path = Path(folder) / "state.safetensors"
        if state.group.leads and state.paused is not None:
            save_training(state.paused, path, {})
        sent = state.group.broadcast(path.read_bytes() if path.exists() else b"")
        if not sent or state.group.leads:
            return state.paused.position if state.paused is not None else Position()
        path.write_bytes(sent)
        return state.restore(load_training(path)[0])
