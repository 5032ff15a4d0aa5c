"""The training loop: a step, an epoch, a validation. Each can be read alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from typing import Protocol

import torch
from torch import Tensor, nn

from ..errors import TrainingError
from ..prepare.batches import Batch, Cut, whole
from .losses import BatchLoss
from .micro_batches import MicroBatches, cuts, infer, until_it_fits
from .optimizer import apply_schedule
from .recorder import Recorder
from .schedule import Schedule

Cast = Callable[[], AbstractContextManager[object]]


class Batches(Protocol):
    """What the loop needs of its data: pairs of (input, targets) on `device`, counted.

    `passing` is one pass from batch `first` on, of each batch what `cut` leaves.
    """

    @property
    def device(self) -> torch.device: ...

    def __len__(self) -> int: ...

    def passing(self, first: int = 0, cut: Cut = whole) -> Iterator[Batch]: ...


class LossIsNaN(TrainingError):
    """Raised inside the loop; `fit` puts the last good weights back before it goes further."""


def train_step(
    network: nn.Module,
    loss_function: BatchLoss,
    optimizer: torch.optim.Optimizer,
    batch: Batch,
    cast: Cast,
    n_parts: int = 1,
) -> Tensor:
    """One batch forward, backward and into the weights. Returns the detached mean loss."""
    optimizer.zero_grad(set_to_none=True)  # first: a step that was interrupted leaves gradients
    loss = torch.stack(
        [
            _backward(network, loss_function, part, share, cast)
            for part, share in _parts_of(batch, loss_function, n_parts)
        ]
    ).sum()
    optimizer.step()
    return loss


def _backward(
    network: nn.Module, loss_function: BatchLoss, part: Batch, share: Tensor | float, cast: Cast
) -> Tensor:
    """Adds the gradients of a part to those that are there. Returns its share of the loss."""
    inputs, targets = part
    with cast():
        logits = network(inputs)
    loss = loss_function(logits, targets) * share
    loss.backward()
    return loss.detach()


def _parts_of(
    batch: Batch, loss_function: BatchLoss, n_parts: int
) -> Iterator[tuple[Batch, Tensor | float]]:
    """The batch in parts, with the share that each has in the mean loss."""
    inputs, targets = batch
    n_parts = cuts(inputs, n_parts)
    if n_parts == 1:
        yield batch, 1.0
        return
    whole = loss_function.counted(targets)
    for part in zip(inputs.tensor_split(n_parts), targets.tensor_split(n_parts), strict=True):
        yield part, loss_function.counted(part[1]) / whole


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
    network: nn.Module,
    loss_function: BatchLoss,
    optimizer: torch.optim.Optimizer,
    batches: Batches,
    schedule: Schedule,
    log: StepLog,
    *,
    epoch: int,
    n_epochs: int,
    cast: Cast,
    parts: MicroBatches | None = None,
    first: int = 0,
    cut: Cut = whole,
    after_step: Callable[[int, int], None] = lambda step, n: None,
) -> None:
    """One pass over the training images, from step `first` on.

    The schedule sees the share of the whole run done; `after_step` gets the number of steps done
    and of images in the last one. `cut` leaves of each batch what this process is to look at.
    """
    parts = parts or MicroBatches()
    for step, batch in enumerate(batches.passing(first, cut), first):
        done = (epoch + step / len(batches)) / n_epochs
        lr, momentum = apply_schedule(optimizer, schedule, done)
        attempt = partial(train_step, network, loss_function, optimizer, batch, cast)
        log.add(lr, momentum, until_it_fits(attempt, len(batch[0]), parts))
        after_step(step + 1, len(batch[0]))
    log.flush()


@torch.inference_mode()
def validation_logits(
    network: nn.Module, batches: Iterable[Batch], cast: Cast, parts: MicroBatches | None = None
) -> tuple[Tensor, Tensor]:
    """Logits fp32 (n, k) and targets of an unshuffled, unaugmented set, on the CPU."""
    network.eval()
    found, parts = [], parts or MicroBatches()
    for inputs, targets in batches:
        with cast():
            found.append((infer(network, inputs, parts).float(), targets))
    logits, targets = (torch.cat(some).cpu() for some in zip(*found, strict=True))
    return logits, targets
