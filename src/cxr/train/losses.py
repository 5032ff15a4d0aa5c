"""Losses that accept what chest X-ray labels are: one class, or several with unknown entries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ..errors import UsageError


class _WeightedLoss(nn.Module):
    def __init__(self, weight: Tensor | None = None, smoothing: float = 0.0) -> None:
        super().__init__()
        self.register_buffer("weight", weight)
        self.weight: Tensor | None
        self.smoothing = smoothing


class ClassLoss(_WeightedLoss):
    """Cross-entropy of (B, k) logits and (B,) class indices, with weights and label smoothing."""

    def forward(self, logits: Tensor, targets: Tensor, reduction: str = "mean") -> Tensor:
        return functional.cross_entropy(
            logits, targets, self.weight, label_smoothing=self.smoothing, reduction=reduction
        )

    def counted(self, targets: Tensor) -> Tensor:
        """What the mean is divided by."""
        if self.weight is None:
            return torch.tensor(float(len(targets)), device=targets.device)
        return self.weight[targets].sum()


class LabelsLoss(_WeightedLoss):
    """Binary cross-entropy of (B, k) logits and (B, k) targets in 1/0/NaN; NaN counts nothing.

    `weight` multiplies the positive entries of each label.
    """

    def forward(self, logits: Tensor, targets: Tensor, reduction: str = "mean") -> Tensor:
        known = ~torch.isnan(targets)
        soft = torch.nan_to_num(targets) * (1 - self.smoothing) + self.smoothing / 2
        loss = functional.binary_cross_entropy_with_logits(
            logits, soft, pos_weight=self.weight, reduction="none"
        )
        loss = loss * known
        if reduction == "none":
            return loss.sum(dim=1) / known.sum(dim=1).clamp(min=1)
        return loss.sum() / known.sum().clamp(min=1)

    def counted(self, targets: Tensor) -> Tensor:
        """What the mean is divided by."""
        return (~torch.isnan(targets)).sum().clamp(min=1)


Loss = ClassLoss | LabelsLoss


class BatchLoss(Protocol):
    """What a training step needs of its loss: the mean of a batch, and what it is divided by."""

    def __call__(self, logits: Tensor, targets: Tensor) -> Tensor: ...

    def counted(self, targets: Tensor) -> Tensor: ...


def class_weights(
    chosen: str | Sequence[float] | None, targets: np.ndarray, n_classes: int
) -> Tensor | None:
    """ "balanced": each class counts the same in all (scikit-learn's rule); numbers: as given."""
    if chosen is None:
        return None
    if chosen == "balanced":
        return torch.tensor(_balanced(targets, n_classes), dtype=torch.float32)
    if isinstance(chosen, str) or len(chosen) != n_classes or min(chosen) <= 0:
        raise UsageError(
            f'class weights {chosen!r} are not "balanced" or {n_classes} positive numbers'
        )
    return torch.tensor(list(chosen), dtype=torch.float32)


def _balanced(targets: np.ndarray, n_classes: int) -> np.ndarray:
    if targets.ndim == 2:
        positive = np.nansum(targets, axis=0)
        return (np.sum(~np.isnan(targets), axis=0) - positive) / np.maximum(positive, 1)
    counts = np.bincount(targets, minlength=n_classes)
    return len(targets) / (n_classes * np.maximum(counts, 1))


def make_loss(
    targets: np.ndarray,
    n_classes: int,
    weights: str | Sequence[float] | None = None,
    smoothing: float = 0.0,
) -> Loss:
    """The loss for the training `targets`: one class (n,) int, or several (n, k) float."""
    if not 0 <= smoothing < 1:
        raise UsageError(f"label smoothing {smoothing!r} is not from 0 to below 1")
    kind = LabelsLoss if targets.ndim == 2 else ClassLoss
    return kind(class_weights(weights, targets, n_classes), smoothing)
