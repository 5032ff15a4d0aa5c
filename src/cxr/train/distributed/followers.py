"""The processes of a group that follow the one with the run folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from ..learner import Learner
from ..recipe import Position
from ..resume.checkpoint import load_training, save_training
from ..resume.snapshot import Snapshot, put_back_weights
from ..resume.stop import Stop


class FollowerCallback:
    """What the other processes of a group have in the place of `CheckpointCallback`."""

    def __init__(self, stop: Stop) -> None:
        self.stop = stop

    def before_steps(self) -> None:
        self.stop.waits = True

    def after_step(self, take: Callable[[], Snapshot]) -> None:
        if self.stop.told():
            self.stop.obey()

    def after_epoch(self, learner: Learner, epoch: int) -> bool:
        if self.stop.told():
            self.stop.obey()
        self.stop.waits = False
        return False

    def after_fit(self, learner: Learner) -> None:
        pass


def adopt(state: Snapshot, learner: Learner) -> Position:
    """Puts a state into the learner, whose interrupted fit counts again when it goes on.

    Raises RuntimeError when it is of another network.
    """
    put_back_weights(state, learner)
    learner.fits = state.phase
    learner.paused = state
    return Position(state.phase, state.epoch)


def share_leader_snapshot(learner: Learner) -> Position:
    """The state that the leading process goes on from, in all others, too."""
    with TemporaryDirectory(prefix="cxr-state-") as folder:
        path = Path(folder) / "state.safetensors"
        if learner.group.leads and learner.paused is not None:
            save_training(learner.paused, path, {})
        sent = learner.group.broadcast(path.read_bytes() if path.exists() else b"")
        if not sent or learner.group.leads:
            paused = learner.paused
            return Position(paused.phase, paused.epoch) if paused is not None else Position()
        path.write_bytes(sent)
        return adopt(load_training(path)[0], learner)
