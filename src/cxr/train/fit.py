"""A fit: epochs of training and validation, the table that grows, and what ends it early."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from .._io import Progress, say
from ..backbones import set_training_mode
from .activation_cache import BatchSource, make_batch_source
from .callback import Callback, Keeper
from .distributed.layers import LossOfAll, head_together
from .loop import LossIsNaN, StepLog, refuse_broken, train_epoch
from .optimizer import make_optimizer
from .recorder import Recorder
from .resume.snapshot import Snapshot, put_back_fit, put_back_random, take_snapshot
from .schedule import Schedule

if TYPE_CHECKING:
    from .learner import Learner


def copy_of_weights(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}


@dataclass(frozen=True)
class Epoch:
    """An epoch under way: its number, when it began, and the state that it goes on from."""

    number: int
    n_epochs: int
    start: float
    state: Snapshot | None = None

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self.start + (self.state.seconds if self.state else 0.0)


def fit(
    learner: Learner,
    n_epochs: int,
    schedule: Schedule,
    callbacks: Sequence[Callback] = (),
    start_epoch: int = 0,
) -> Recorder:
    """Trains in place. After each epoch the callbacks may end the fit.

    A run that is continued begins with the `paused` state of the learner. A loss that is not
    finite puts back the weights of the last finished epoch (or of the start) and raises
    TrainingError. Ctrl-C leaves the weights as they are at that step.
    """
    recorder = learner.recorder = Recorder(learner.metric_names)
    optimizer = learner.optimizer = make_optimizer(learner.groups, learner.wd)
    paused, learner.paused = learner.paused, None
    if paused is not None:
        put_back_fit(paused, learner, optimizer)
    good = copy_of_weights(learner.model)
    feed = make_batch_source(learner, n_epochs)
    network = learner.group.parallel(feed.network)
    whole = min(learner.dls.train.bs, learner.dls.train.n_images)
    say(_row(recorder.columns))
    for number in range(start_epoch, n_epochs):
        epoch = Epoch(number, n_epochs, time.perf_counter(), paused)
        paused = None
        try:
            with epoch_seed(learner, number), head_together(learner.model, learner.group, whole):
                _train(learner, feed, network, optimizer, schedule, epoch, callbacks)
            loss, *metrics = learner.validate_fast(feed)
            refuse_broken(loss, recorder, "validation loss")
        except LossIsNaN:
            learner.model.load_state_dict(good)
            raise
        report_epoch(recorder, number, loss, metrics, epoch.seconds)
        if number + 1 < n_epochs:
            good = copy_of_weights(learner.model)
        stops = [callback.after_epoch(learner, number) for callback in callbacks]
        if any(stops):
            break
    for callback in callbacks:
        callback.after_fit(learner)
    return recorder


def report_epoch(
    recorder: Recorder, epoch: int, loss: float, metrics: list[float], seconds: float
) -> None:
    """A line of the table, kept and said."""
    recorder.epoch(loss, metrics, seconds)
    say(_row([str(epoch), *(f"{v:.6f}" for v in recorder.values[-1]), _clock(recorder)]))


@contextmanager
def epoch_seed(learner: Learner, epoch: int) -> Iterator[None]:
    """Order, augmentation and dropout of an epoch follow from (seed, fit, epoch) alone.

    So a run that is continued sees what the uninterrupted run saw, and the caller's own random
    numbers are left as they were.
    """
    sequence = np.random.SeedSequence([learner.dls.seed, learner.fits, epoch])
    seed = int(sequence.generate_state(1, np.uint64)[0] >> 1)
    learner.dls.train.generator.manual_seed(seed)
    devices = [learner.device] if learner.device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield


def _train(
    learner: Learner,
    feed: BatchSource,
    network: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    schedule: Schedule,
    epoch: Epoch,
    callbacks: Sequence[Callback],
) -> None:
    batches = feed.train(epoch.number)
    set_training_mode(learner.model)
    first = 0
    if epoch.state is not None:
        first = epoch.state.step
        put_back_random(epoch.state.random, learner.device)
    log = StepLog(learner.recorder, batches.device)
    group = learner.group
    loss = learner.loss if group.alone else LossOfAll(learner.loss, group)
    keepers = [callback for callback in callbacks if isinstance(callback, Keeper)]
    for keeper in keepers:
        keeper.before_steps()
    what = f"epoch {epoch.number + 1}/{epoch.n_epochs}"
    with Progress(what, learner.dls.train.n_images) as progress:
        progress.advance(first * learner.dls.train.bs)

        def after_step(step: int, n: int) -> None:
            def take() -> Snapshot:
                log.flush()
                return take_snapshot(learner, epoch.number, step, epoch.seconds)

            progress.advance(n * group.size)
            for keeper in keepers:
                keeper.after_step(take)

        train_epoch(
            network,
            loss,
            optimizer,
            batches,
            schedule,
            log,
            epoch=epoch.number,
            n_epochs=epoch.n_epochs,
            cast=learner.cast,
            parts=learner.micro_batches,
            first=first,
            cut=group.cut,
            after_step=after_step,
        )


def _clock(recorder: Recorder) -> str:
    minutes, seconds = divmod(round(recorder.times[-1]), 60)
    return f"{minutes:02d}:{seconds:02d}"


def _row(cells: Sequence[str]) -> str:
    return "  ".join(f"{cell:>10}" for cell in cells)
