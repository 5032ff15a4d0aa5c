"""Inference: the one path by which validation, prediction and the golden check get their logits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..pixels import release
from .cut import stages
from .network import Network
from .processor import keep_freed_memory

BATCH = 128
RELEASE_EVERY = 8  # batches, after which pages read from disk are given back
MIDDLE = 8  # how much coarser than the image the last "middle" feature map is, on a side


class TorchOutputs(NamedTuple):
    """What a network gave for n images, fp32 on the CPU.

    `logits` (n, k); `features` (n, F), pooled, before the head; `middle` (n, 2 C), the mean and the
    spread of each channel of a middle feature map, which keeps what later layers forget: grain,
    sharpness, contrast. A body that is not known to be a chain of stages has no middle: (n, 0).
    """

    logits: Tensor
    features: Tensor
    middle: Tensor


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
    none = (torch.empty(0, network.architecture.n_classes),)
    parts = list(_passes(network, lambda grey: (network(grey),), pixels, rows, bs, advance))
    # Joined out of inference mode, so that the caller may change it in place.
    return torch.cat([logits for (logits,) in parts or [none]])


def logits_and_features_of(
    network: Network,
    pixels: np.ndarray,
    rows: np.ndarray | None = None,
    *,
    bs: int = BATCH,
    advance: Callable[[int], None] = lambda n: None,
) -> TorchOutputs:
    """The logits of `logits_of`, to the last bit, and what was computed on the way to them."""
    n_features = network.head.linear.in_features
    none = torch.empty(0, network.architecture.n_classes), torch.empty(0, n_features)
    parts = list(
        _passes(network, lambda grey: outputs_of(network, grey), pixels, rows, bs, advance)
    )
    return TorchOutputs(*map(torch.cat, zip(*parts or [(*none, torch.empty(0, 0))], strict=True)))


def _passes(
    network: Network,
    forward: Callable[[Tensor], tuple[Tensor, ...]],
    pixels: np.ndarray,
    rows: np.ndarray | None,
    bs: int,
    advance: Callable[[int], None],
) -> Iterator[tuple[Tensor, ...]]:
    """What `forward` gives for each batch of grey images (B, 1, H, W)."""
    training = [module for module in network.modules() if module.training]
    if training:  # walking through all layers costs a single image a tenth of its time
        network.eval()
    device = next(network.parameters()).device
    if device.type == "cpu":
        keep_freed_memory()
    rows = np.arange(len(pixels)) if rows is None else rows
    for i, start in enumerate(range(0, len(rows), bs)):
        batch = torch.from_numpy(pixels[rows[start : start + bs]]).unsqueeze(1)
        with torch.inference_mode():
            outputs = tuple(one.float().cpu() for one in forward(batch.to(device)))
        yield outputs
        advance(len(batch))
        if i % RELEASE_EVERY == 0:
            release(pixels)
    for module in training:
        module.training = True


def outputs_of(network: Network, grey: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    chain = stages(network.body)
    if not chain:
        features = network.features(grey)
        return network.head(features), features, features[:, :0]
    x = middle = network.normalise(grey)
    for stage in chain:
        x = stage(x)
        if x.shape[-1] * MIDDLE >= grey.shape[-1]:
            middle = x
    features = network.body.forward_head(x)
    return network.head(features), features, _mean_and_spread(middle.float())


def _mean_and_spread(maps: Tensor) -> Tensor:
    """(n, C, h, w) -> (n, 2 C). In a tenth of the time of torch.std_mean, in channels-last."""
    mean = maps.mean(dim=(2, 3))
    variance = (maps * maps).mean(dim=(2, 3)) - mean * mean
    return torch.cat([mean, variance.clamp(min=0).sqrt()], dim=1)


def probabilities_of(logits: Tensor, multi_label: bool) -> Tensor:
    """Softmax over classes, or a sigmoid for each label; computed in fp64, returned in fp32."""
    return exact_probabilities(logits, multi_label).float()


def exact_probabilities(logits: Tensor, multi_label: bool) -> Tensor:
    """`probabilities_of` in fp64: far from zero fp32 rounds all to 1, which no AUROC can order."""
    exact = logits.double()
    return exact.sigmoid() if multi_label else exact.softmax(dim=1)


def triple_of(
    chances: Tensor, classes: Sequence[str], decided: Sequence[int], multi_label: bool
) -> tuple[str, Tensor, Tensor]:
    """fast.ai's triple for one image: class name, index, probabilities (k,).

    `decided` are the indices of the classes decided for. For several labels: their names joined by
    "; ", and a 0/1 vector in place of the index.
    """
    names = "; ".join(classes[index] for index in decided)
    if not multi_label:
        return names, torch.tensor(decided[0]), chances
    present = torch.zeros(len(classes), dtype=torch.long)
    present[list(decided)] = 1
    return names, present, chances
