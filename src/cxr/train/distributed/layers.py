"""The layers and the loss that look at a whole batch, of which each process holds a share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ...backbones import Network
from ..losses import Loss
from .process_group import ProcessGroup


class GlobalLoss(nn.Module):
    """The mean loss over the shares of all processes.

    Its gradient is that of this process's share, times the number of processes, by which
    DistributedDataParallel divides.
    """

    def __init__(self, loss: Loss, group: ProcessGroup) -> None:
        super().__init__()
        self.loss, self.group = loss, group

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        mine, counted = self.loss(logits, targets), self.loss.counted(targets)
        total, whole = self.group.all_reduce(torch.stack([mine.detach() * counted, counted]))
        share = mine * (counted / whole * self.group.size)
        return share + (total / whole - share).detach()

    def counted(self, targets: Tensor) -> Tensor:
        return self.loss.counted(targets)


def global_loss(loss: Loss, group: ProcessGroup) -> Loss | GlobalLoss:
    """`loss` itself in a process alone."""
    return loss if group.alone else GlobalLoss(loss, group)


class _AllReduceSum(torch.autograd.Function):
    """The sum over processes, which all processes' losses depend on."""

    @staticmethod
    def forward(context: Any, values: Tensor, group: ProcessGroup) -> Tensor:
        context.group = group
        return group.all_reduce(values.clone())

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return context.group.all_reduce(gradient.clone()), None


class SynchronisedBatchNorm(nn.BatchNorm1d):
    """BatchNorm by the mean and variance of the whole batch."""

    group: ProcessGroup

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        n = self.group.all_reduce(torch.tensor(float(len(x)), device=x.device))
        mean = _AllReduceSum.apply(x.sum(0), self.group) / n
        centred = x - mean
        variance = _AllReduceSum.apply(centred.square().sum(0), self.group) / n
        self._update_statistics(mean.detach(), variance.detach() * n / (n - 1))
        return centred * torch.rsqrt(variance + self.eps) * self.weight + self.bias

    @torch.no_grad()
    def _update_statistics(self, mean: Tensor, variance: Tensor) -> None:
        assert self.momentum is not None
        self.running_mean.lerp_(mean, self.momentum)  # type: ignore[union-attr]
        self.running_var.lerp_(variance, self.momentum)  # type: ignore[union-attr]
        self.num_batches_tracked.add_(1)  # type: ignore[union-attr]


class SynchronisedDropout(nn.Dropout):
    """Dropout that draws for the `whole` batch and takes the rows of this process."""

    group: ProcessGroup
    whole: int

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0:
            return x
        mask = torch.empty(self.whole, *x.shape[1:], dtype=torch.bool, device=x.device)
        mask = mask.bernoulli_(1 - self.p)[self.group.share(self.whole)]
        return x * mask * (1 / (1 - self.p))


@contextmanager
def synchronised_head(network: Network, group: ProcessGroup, whole: int) -> Iterator[None]:
    """Inside, the head of `network` sees batches of `whole` images by their shares.

    The body's BatchNorm, where it learns its statistics at all, keeps to each process's share.
    """
    if group.alone:
        yield
        return
    norm, dropout = network.head[0], network.head[1]
    own = norm.__class__, dropout.__class__
    norm.__class__, dropout.__class__ = SynchronisedBatchNorm, SynchronisedDropout
    norm.group = dropout.group = group  # type: ignore[assignment]
    dropout.whole = whole  # type: ignore[assignment]
    try:
        yield
    finally:
        norm.__class__, dropout.__class__ = own
        del norm.group, dropout.group, dropout.whole
