"""A fit: epochs of training and validation, the table that grows, and what ends it early."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from .._io import Progress, say
from ..backbones import set_training_mode
from .activation_cache import BatchSource, make_batch_source
from .callbacks import Callback, copy_of_weights
from .distributed.layers import global_loss, synchronised_head
from .inference import validate_fast
from .loop import Epoch, LossIsNaN, StepLog, Training, refuse_broken, train_epoch
from .optimizer import make_optimizer, restore_moments
from .recorder import Recorder
from .resume.snapshot import Snapshot, restore_random
from .schedule import Schedule
from .state import TrainingState, seed_of


@dataclass(frozen=True)
class Fit:
    """What stays the same over the epochs of a fit."""

    state: TrainingState
    training: Training
    source: BatchSource
    schedule: Schedule
    n_epochs: int
    callbacks: Sequence[Callback]


def fit(
    state: TrainingState,
    n_epochs: int,
    schedule: Schedule,
    callbacks: Sequence[Callback] = (),
    start_epoch: int = 0,
) -> Recorder:
    """Trains in place. After each epoch the callbacks may end the fit.

    A run that is continued begins with the `paused` snapshot of the state. A loss that is not
    finite puts back the weights of the last finished epoch (or of the start) and raises
    TrainingError. Ctrl-C leaves the weights as they are at that step.
    """
    recorder = state.recorder = Recorder(state.metric_names)
    optimizer = state.optimizer = make_optimizer(state.layer_groups, state.wd)
    paused, state.paused = state.paused, None
    if paused is not None:
        restore_moments(optimizer, paused.moments)
        recorder.restore(paused.record)
    good = copy_of_weights(state.model)
    source = make_batch_source(state, n_epochs)
    network, loss = state.group.parallel(source.network), global_loss(state.loss, state.group)
    training = Training(network, loss, optimizer, state.cast, state.micro_batches)
    run = Fit(state, training, source, schedule, n_epochs, callbacks)
    say(row(recorder.columns))
    for number in range(start_epoch, n_epochs):
        clock = Clock(paused.seconds if paused is not None else 0.0)
        try:
            _train(run, number, clock, paused)
            figures = validate_fast(state, source)
            refuse_broken(figures[0], recorder, "validation loss")
        except LossIsNaN:
            state.model.load_state_dict(good)
            raise
        paused = None
        report_epoch(state, number, figures, clock.seconds)
        if number + 1 < n_epochs:
            good = copy_of_weights(state.model)
        stops = [callback.after_epoch(state, number) for callback in callbacks]
        if any(stops):
            break
    for callback in callbacks:
        callback.after_fit(state)
    return recorder


def report_epoch(
    state: TrainingState, epoch: int, figures: Sequence[float], seconds: float
) -> None:
    """A line of the table, kept and said; `figures` are [validation loss, *metrics]."""
    recorder = state.recorder
    recorder.epoch(figures[0], list(figures[1:]), seconds)
    minutes, rest = divmod(round(seconds), 60)
    cells = [str(state.number_of(epoch)), *(f"{value:.6f}" for value in recorder.values[-1])]
    say(row([*cells, f"{minutes:02d}:{rest:02d}"]))


@contextmanager
def epoch_seed(state: TrainingState, epoch: int) -> Iterator[None]:
    """Order, augmentation and dropout of an epoch follow from (seed, fit, epoch) alone.

    So a run that is continued sees what the uninterrupted run saw, and the caller's own random
    numbers are left as they were.
    """
    seed = seed_of(state.dls.seed, state.fits, epoch)
    state.dls.train.generator.manual_seed(seed)
    devices = [state.device] if state.device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield


class Clock:
    """Seconds since it was made, and those that the epoch took before it was interrupted."""

    def __init__(self, before: float = 0.0) -> None:
        self.before, self.start = before, time.perf_counter()

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self.start + self.before


def _train(run: Fit, number: int, clock: Clock, paused: Snapshot | None) -> None:
    """The training steps of an epoch, or those that an interrupted one has left."""
    state, train = run.state, run.state.dls.train
    whole = min(train.bs, train.n_images)
    with epoch_seed(state, number), synchronised_head(state.model, state.group, whole):
        batches = run.source.train(number)
        set_training_mode(state.model)
        epoch = Epoch(number, run.n_epochs, paused.step if paused else 0, state.group.own_part)
        if paused is not None:
            restore_random(paused.random, state.device)
        log = StepLog(state.recorder, batches.device)
        for callback in run.callbacks:
            callback.before_train(state)
        before = state.epochs_before or 0
        named = f"epoch {before + number + 1}/{before + run.n_epochs}"
        with Progress(named, train.n_images) as progress:
            progress.advance(epoch.first * train.bs)

            def after_step(step: int, n: int) -> None:
                def snapshot() -> Snapshot:
                    log.flush()
                    return state.snapshot(number, step, clock.seconds)

                progress.advance(n * state.group.size)
                for callback in run.callbacks:
                    callback.after_batch(state, snapshot)

            train_epoch(run.training, batches, run.schedule, epoch, log, after_step)


def row(cells: Sequence[str]) -> str:
    """Of the table."""
    return "  ".join(f"{cell:>10}" for cell in cells)
