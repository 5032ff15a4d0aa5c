"""The training loop: a step, an epoch, a validation. Each can be read alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Protocol

import torch
from torch import Tensor, nn

from ..errors import TrainingError
from ..prepare.batches import Batch
from .losses import Loss
from .optimizer import apply_schedule
from .recorder import Recorder
from .schedule import Schedule

Cast = Callable[[], AbstractContextManager[object]]


class Batches(Protocol):
    """What the loop needs of its data: pairs of (input, targets) on `device`, counted."""

    @property
    def device(self) -> torch.device: ...

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Batch]: ...


class LossIsNaN(TrainingError):
    """Raised inside the loop; `fit` puts the last good weights back before it goes further."""


def train_step(
    network: nn.Module,
    loss_function: Loss,
    optimizer: torch.optim.Optimizer,
    batch: Batch,
    cast: Cast,
) -> Tensor:
    """One batch forward, backward and into the weights. Returns the detached mean loss."""
    inputs, targets = batch
    optimizer.zero_grad(set_to_none=True)  # first: a step that was interrupted leaves gradients
    with cast():
        logits = network(inputs)
    loss = loss_function(logits, targets)
    loss.backward()
    optimizer.step()
    return loss.detach()


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
    loss_function: Loss,
    optimizer: torch.optim.Optimizer,
    batches: Batches,
    schedule: Schedule,
    recorder: Recorder,
    *,
    epoch: int,
    n_epochs: int,
    cast: Cast,
    advance: Callable[[int], None] = lambda n: None,
) -> None:
    """One pass over the training images; the schedule sees the share of the whole run done."""
    log = StepLog(recorder, batches.device)
    for i, batch in enumerate(batches):
        done = (epoch + i / len(batches)) / n_epochs
        lr, momentum = apply_schedule(optimizer, schedule, done)
        log.add(lr, momentum, train_step(network, loss_function, optimizer, batch, cast))
        advance(len(batch[0]))
    log.flush()


@torch.inference_mode()
def validation_logits(
    network: nn.Module, batches: Iterable[Batch], cast: Cast
) -> tuple[Tensor, Tensor]:
    """Logits fp32 (n, k) and targets of an unshuffled, unaugmented set, on the CPU."""
    network.eval()
    parts = []
    for inputs, targets in batches:
        with cast():
            parts.append((network(inputs).float(), targets))
    logits, targets = (torch.cat(part).cpu() for part in zip(*parts, strict=True))
    return logits, targets
