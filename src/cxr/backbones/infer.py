"""Inference: the one path by which validation, prediction and the golden check get their logits."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from ..pixels import release
from .memory import keep_freed_memory
from .network import Network

BATCH = 128
RELEASE_EVERY = 8  # batches, after which pages read from disk are given back


def logits_of(
    network: Network,
    pixels: np.ndarray,
    rows: np.ndarray | None = None,
    *,
    bs: int = BATCH,
    advance: Callable[[int], None] = lambda n: None,
) -> Tensor:
    """uint8 (n, H, W) -> fp32 logits (n, k) on the CPU, in evaluation mode and full precision.

    `rows` picks images of a larger array without copying it whole. Full precision, because bf16
    gives results that change with the size of the batch.
    """
    training = [module for module in network.modules() if module.training]
    if training:  # walking through all layers costs a single image a tenth of its time
        network.eval()
    device = next(network.parameters()).device
    if device.type == "cpu":
        keep_freed_memory()
    rows = np.arange(len(pixels)) if rows is None else rows
    parts = [torch.empty(0, network.architecture.n_classes)]
    with torch.inference_mode():
        for i, start in enumerate(range(0, len(rows), bs)):
            batch = torch.from_numpy(pixels[rows[start : start + bs]]).unsqueeze(1)
            parts.append(network(batch.to(device)).float().cpu())
            advance(len(batch))
            if i % RELEASE_EVERY == 0:
                release(pixels)
    for module in training:
        module.training = True
    return torch.cat(parts)  # joined out here, so that the caller may change it in place


def probabilities_of(logits: Tensor, multi_label: bool) -> Tensor:
    """Softmax over classes, or a sigmoid for each label; computed in fp64, returned in fp32."""
    exact = logits.double()
    return (exact.sigmoid() if multi_label else exact.softmax(dim=1)).float()


def decide(
    chances: Tensor, classes: Sequence[str], multi_label: bool
) -> tuple[str, Tensor, Tensor]:
    """fast.ai's triple for one image: class name, index, probabilities (k,).

    For several labels: those above 0.5 joined by "; ", and a 0/1 vector in place of the index.
    """
    if not multi_label:
        index = chances.argmax()
        return classes[int(index)], index, chances
    present = chances > 0.5
    names = [name for name, here in zip(classes, present, strict=True) if here]
    return "; ".join(names), present.long(), chances
