"""The training loop: a step, an epoch, a validation. Each can be read alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

import torch
from torch import Tensor, nn

from ..errors import TrainingError
from ..prepare.batches import Batch, Share, whole_batch
from .losses import BatchLoss
from .micro_batches import MicroBatches, infer, n_micro_batches, until_it_fits
from .optimizer import apply_schedule
from .recorder import Recorder
from .schedule import Schedule

Cast = Callable[[], AbstractContextManager[object]]


class Batches(Protocol):
    """What the loop needs of its data: pairs of (input, targets) on `device`, counted.

    `epoch` is one pass from batch `first` on, of each batch what `share` leaves.
    """

    @property
    def device(self) -> torch.device: ...

    def __len__(self) -> int: ...

    def epoch(self, first: int = 0, share: Share = whole_batch) -> Iterator[Batch]: ...


@dataclass(frozen=True)
class Training:
    """What a training step works with; `cast` gives the precision that it runs in."""

    network: nn.Module
    loss: BatchLoss
    optimizer: torch.optim.Optimizer
    cast: Cast
    micro_batches: MicroBatches = field(default_factory=MicroBatches)


@dataclass(frozen=True)
class Epoch:
    """Epoch `number` of `n_epochs`, from step `first` on.

    `share` leaves of each batch what this process is to look at.
    """

    number: int
    n_epochs: int
    first: int = 0
    share: Share = whole_batch


class LossIsNaN(TrainingError):
    """Raised inside the loop; `fit` restores the last good weights before it goes further."""


def train_step(training: Training, batch: Batch, n_parts: int = 1) -> Tensor:
    """One batch forward, backward and into the weights. Returns the detached mean loss."""
    # First: a step that was interrupted leaves gradients.
    training.optimizer.zero_grad(set_to_none=True)
    losses = [
        _backward(training, part, share) for part, share in _divided(batch, training.loss, n_parts)
    ]
    loss = torch.stack(losses).sum()
    training.optimizer.step()
    return loss


def _backward(training: Training, part: Batch, share: Tensor | float) -> Tensor:
    """Adds the gradients of a part to those that are there. Returns its share of the loss."""
    inputs, targets = part
    with training.cast():
        logits = training.network(inputs)
    loss = training.loss(logits, targets) * share
    loss.backward()
    return loss.detach()


def _divided(batch: Batch, loss: BatchLoss, n_parts: int) -> Iterator[tuple[Batch, Tensor | float]]:
    """The batch in parts, with the share that each has in the mean loss."""
    inputs, targets = batch
    n_parts = n_micro_batches(inputs, n_parts)
    if n_parts == 1:
        yield batch, 1.0
        return
    total = loss.counted(targets)
    for part in zip(inputs.tensor_split(n_parts), targets.tensor_split(n_parts), strict=True):
        yield part, loss.counted(part[1]) / total


def refuse_broken(loss: float, recorder: Recorder, what: str = "loss") -> None:
    """Raises LossIsNaN for a loss that is not finite, with the recorder's last step and rate."""
    if not math.isfinite(loss):
        raise LossIsNaN(
            f"the {what} became {loss} at step {len(recorder.lrs)} with learning rate "
            f"{recorder.lrs[-1]:.2e}; the last good weights are kept: try a rate ten times smaller"
        )


class StepLog:
    """Hands steps to the recorder: from a GPU at the end only, as asking it makes it wait."""

    def __init__(self, recorder: Recorder, device: torch.device) -> None:
        self.recorder = recorder
        self.at_once = device.type == "cpu"
        self.waiting: list[tuple[float, float, Tensor]] = []

    def add(self, lr: float, momentum: float, loss: Tensor) -> None:
        self.waiting.append((lr, momentum, loss))
        if self.at_once:
            self.flush()

    def flush(self) -> None:
        """Raises LossIsNaN at the first loss that is not finite."""
        if not self.waiting:
            return
        losses = torch.stack([loss for _, _, loss in self.waiting]).tolist()
        for (lr, momentum, _), loss in zip(self.waiting, losses, strict=True):
            self.recorder.step(lr, momentum, loss)
            refuse_broken(loss, self.recorder)
        self.waiting.clear()


def train_epoch(
    training: Training,
    batches: Batches,
    schedule: Schedule,
    epoch: Epoch,
    log: StepLog,
    after_step: Callable[[int, int], None] = lambda step, n: None,
) -> None:
    """One pass over the training images.

    The schedule sees the share of the whole run done; `after_step` gets the number of steps done
    and of images in the last one. Raises LossIsNaN at a loss that is not finite.
    """
    for step, batch in enumerate(batches.epoch(epoch.first, epoch.share), epoch.first):
        done = (epoch.number + step / len(batches)) / epoch.n_epochs
        lr, momentum = apply_schedule(training.optimizer, schedule, done)
        attempt = partial(train_step, training, batch)
        log.add(lr, momentum, until_it_fits(attempt, len(batch[0]), training.micro_batches))
        after_step(step + 1, len(batch[0]))
    log.flush()


@torch.inference_mode()
def validation_logits(
    network: nn.Module,
    batches: Iterable[Batch],
    cast: Cast,
    micro_batches: MicroBatches | None = None,
) -> tuple[Tensor, Tensor]:
    """Logits fp32 (n, k) and targets of an unshuffled, unaugmented set, on the CPU."""
    network.eval()
    micro_batches = micro_batches or MicroBatches()
    outputs = []
    for inputs, targets in batches:
        with cast():
            outputs.append((infer(network, inputs, micro_batches).float(), targets))
    logits, targets = (torch.cat(parts).cpu() for parts in zip(*outputs, strict=True))
    return logits, targets
