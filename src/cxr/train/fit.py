"""A fit: epochs of training and validation, the table that grows, and what ends it early."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import torch

from .._io import Progress, say
from ..backbones import set_training_mode
from .feed import Feed, make_feed
from .loop import LossIsNaN, refuse_broken, train_epoch
from .optimizer import make_optimizer, put_back_moments
from .recorder import Recorder
from .schedule import Schedule

if TYPE_CHECKING:
    from .keep import Callback
    from .learner import Learner


def copy_of_weights(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}


def fit(
    learner: Learner,
    n_epochs: int,
    schedule: Schedule,
    callbacks: Sequence[Callback] = (),
    start_epoch: int = 0,
) -> Recorder:
    """Trains in place. After each epoch the callbacks may end the fit.

    A loss that is not finite puts back the weights of the last finished epoch (or of the start)
    and raises TrainingError. Ctrl-C leaves the weights as they are at that step.
    """
    recorder = learner.recorder = Recorder(learner.metric_names)
    optimizer = learner.optimizer = make_optimizer(learner.groups, learner.wd)
    if start_epoch:  # a run that is continued
        put_back_moments(optimizer, learner.optimizer_moments)
    good = copy_of_weights(learner.model)
    feed = make_feed(learner, n_epochs)
    say(_row(recorder.columns))
    for epoch in range(start_epoch, n_epochs):
        start = time.perf_counter()
        try:
            with epoch_seed(learner, epoch):
                _train(learner, feed, optimizer, schedule, recorder, epoch, n_epochs)
            loss, *metrics = learner.validate_fast(feed)
            refuse_broken(loss, recorder, "validation loss")
        except LossIsNaN:
            learner.model.load_state_dict(good)
            raise
        report_epoch(recorder, epoch, loss, metrics, time.perf_counter() - start)
        if epoch + 1 < n_epochs:
            good = copy_of_weights(learner.model)
        stops = [callback.after_epoch(learner, epoch) for callback in callbacks]
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
    feed: Feed,
    optimizer: torch.optim.Optimizer,
    schedule: Schedule,
    recorder: Recorder,
    epoch: int,
    n_epochs: int,
) -> None:
    batches = feed.train(epoch)
    set_training_mode(learner.model)
    with Progress(f"epoch {epoch + 1}/{n_epochs}", learner.dls.train.n_images) as progress:
        train_epoch(
            feed.network,
            learner.loss,
            optimizer,
            batches,
            schedule,
            recorder,
            epoch=epoch,
            n_epochs=n_epochs,
            cast=learner.cast,
            advance=progress.advance,
        )


def _clock(recorder: Recorder) -> str:
    minutes, seconds = divmod(round(recorder.times[-1]), 60)
    return f"{minutes:02d}:{seconds:02d}"


def _row(cells: Sequence[str]) -> str:
    return "  ".join(f"{cell:>10}" for cell in cells)
