"""Whether heat maps can be believed: two checks that need no expert."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy import ndimage

from ..._stats.bootstrap import patient_weights
from ...backbones import Network, build_network
from ...errors import UsageError
from ...evaluate.intervals import bootstrapped
from ...evaluate.schema import Figure, undefined
from ...pixels.frame import LungFrame
from ..predictor import Predictor
from .heat_map import heat_of
from .lungs import lung_estimate
from .places import between, on_square

DRAWS = 3  # random heads: a single one may happen to agree with the trained one
ALIKE = 0.5  # rank correlation from which a map is called unchanged
CELLS = 32  # a side, at which maps are compared
BORDER = 1 / 16  # of the image's side
WHITE, SMALL = 230, 0.01  # a marker: as bright as this, and no larger than this share of the image
RESAMPLES, LEVEL = 2000, 0.95


class Cut(NamedTuple):
    """The whole image uint8 (H, W), and the part of it that the network saw."""

    image: np.ndarray
    frame: LungFrame


def randomisation_test(
    predictor: Predictor, pixels: NDArray[np.uint8], seed: int = 0
) -> dict[str, Any]:
    """Do heat maps depend on what was learnt? (Adebayo et al., NeurIPS 2018, arXiv:1810.03292)

    The maps of `pixels` uint8 (n, S, S) are made again with a fresh head, and with a fresh
    network; a method that only finds edges would not notice. `similarity` is the larger of the two
    mean rank correlations (Spearman) with the model's own maps, `head` and `network` are both;
    `passed` says that it is below 0.5. Raises UsageError without images.
    """
    if len(pixels) == 0:
        raise UsageError("no images to test heat maps on; give one or more")
    network, multi_label = predictor.network, predictor.config.multi_label
    classes = [predictor.class_of_interest(one) for one in pixels]

    def maps(of: Network) -> list[NDArray[np.float32]]:
        return [heat_of(of, one, k, multi_label) for one, k in zip(pixels, classes, strict=True)]

    own = maps(network)
    heads = [_similarity(own, maps(_fresh_head(network, seed + i))) for i in range(DRAWS)]
    head, whole = (
        float(np.mean(heads)),
        _similarity(own, maps(_fresh_network(network, pixels, seed))),
    )
    similarity = max(head, whole)
    return {
        "similarity": similarity,
        "passed": similarity < ALIKE,
        "limit": ALIKE,
        "head": head,
        "network": whole,
        "n": len(pixels),
        "measure": "mean rank correlation of heat maps before and after",
    }


def _fresh_head(network: Network, seed: int) -> Network:
    fresh = deepcopy(network)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for layer in fresh.head.modules():
            if isinstance(layer, torch.nn.Linear):
                layer.reset_parameters()
    return fresh


def _fresh_network(network: Network, pixels: NDArray[np.uint8], seed: int) -> Network:
    """As before any training: random weights, norms that have seen a few images."""
    fresh, _ = build_network(network.architecture, weights=None, seed=seed)
    norms = [
        one for one in fresh.modules() if isinstance(one, torch.nn.modules.batchnorm._BatchNorm)
    ]
    for norm in norms:
        norm.momentum = None  # the plain average over what it sees
    fresh.train()
    with torch.no_grad():
        fresh(torch.from_numpy(np.repeat(pixels[:16], 2, axis=0))[:, None])
    fresh.eval()
    return fresh.to(next(network.parameters()).device)


def _similarity(some: list[NDArray[np.float32]], others: list[NDArray[np.float32]]) -> float:
    """Mean rank correlation over pairs of maps (Spearman), at CELLS x CELLS points."""
    return float(np.mean([_correlation(*pair) for pair in zip(some, others, strict=True)]))


def _correlation(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """0 where a map is empty, as it then says nothing."""
    ranks = [pd.Series(_points(heat)).rank().to_numpy() for heat in (one, other)]
    a, b = (rank - rank.mean() for rank in ranks)
    length = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / length if length > 0 else 0.0


def _points(heat: NDArray[np.float32]) -> NDArray[np.float32]:
    at = ((np.arange(CELLS) + 0.5) * len(heat) / CELLS).astype(int)
    return heat[np.ix_(at, at)].ravel()


class Away(NamedTuple):
    """Shares of the heat, and of the image that those places cover."""

    outside_lungs: float
    between_lungs: float
    on_borders: float
    area_outside_lungs: float
    area_between_lungs: float
    area_of_borders: float


PLACES = ("outside_lungs", "between_lungs", "on_borders")


def attention_shares(
    predictor: Predictor,
    pixels: NDArray[np.uint8],
    groups: NDArray[np.int64] | None = None,
    seed: int = 0,
    cuts: Sequence[Cut] | None = None,
) -> dict[str, Any]:
    """How much of the heat on `pixels` uint8 (n, S, S) lies where no pneumonia is.

    With `cuts` (n) the pixels are parts of these whole images, on which the heat is then measured.

    `outside_lungs`, of these `between_lungs`, and `on_borders` (the outermost sixteenth of each
    side, and small white marks outside the lungs) are mean shares over images with their interval
    by a bootstrap of patients (`groups` (n,), numbers from 0 without gaps), and `area`: what an
    even map would put there. The lungs are an estimate (`lung_estimate`), not a segmentation.
    Images without any heat are left out.
    """
    groups = np.arange(len(pixels)) if groups is None else np.asarray(groups)
    rows = []
    multi_label = predictor.config.multi_label
    for i, (image, group) in enumerate(zip(pixels, groups, strict=True)):
        index = predictor.class_of_interest(image)
        heat = heat_of(predictor.network, image, index, multi_label)
        if heat.any():
            away = heat_away(image, heat) if cuts is None else placed_away(predictor, cuts[i], heat)
            rows.append((group, *away))
    if not rows:
        return {key: undefined("no heat on any image") for key in PLACES}
    table = np.array(rows)
    _, groups = np.unique(table[:, 0], return_inverse=True)
    return {
        key: _mean(table[:, 1 + i], table[:, 1 + len(PLACES) + i], groups, seed)
        for i, key in enumerate(PLACES)
    }


def placed_away(predictor: Predictor, cut: Cut, heat: NDArray[np.float32]) -> Away:
    """`heat_away` of the heat (S, S) of a cut, laid where the cut was on its whole image."""
    method = predictor.config.resize_method
    return heat_away(*on_square(cut.image, heat, method, cut.frame.box))


def heat_away(image: NDArray[np.uint8], heat: NDArray[np.float32]) -> Away:
    """Of heat with something in it, over its image uint8 (S, S)."""
    lungs = lung_estimate(image)
    away = ~lungs, between(lungs), border_estimate(image, lungs)
    shares, areas = [heat[a].sum() / heat.sum() for a in away], [a.mean() for a in away]
    return Away(*shares, *areas)


def border_estimate(image: NDArray[np.uint8], lungs: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Bool (S, S): the edge of the image, and small white marks that are not in the lungs."""
    size = len(image)
    width = round(BORDER * size)
    border = np.ones_like(lungs)
    border[width : size - width, width : size - width] = False
    labels, count = ndimage.label((image >= WHITE) & ~lungs)
    areas = np.bincount(labels.ravel(), minlength=count + 1)
    small = areas <= SMALL * image.size
    small[0] = False
    return border | ndimage.binary_dilation(small[labels], iterations=max(1, size // 128))


class HeatShare(Figure, total=False):
    """The share of a heat map in some `area`, which is the share of the image that it covers."""

    area: float


def _mean(
    shares: NDArray[np.float64],
    areas: NDArray[np.float64],
    groups: NDArray[np.int64],
    seed: int,
) -> HeatShare:
    resampled = [
        weights @ shares / weights.sum(axis=1)
        for weights in patient_weights(groups, RESAMPLES, seed)
    ]
    figure = bootstrapped(float(shares.mean()), np.concatenate(resampled), LEVEL)
    return {**figure, "n": len(shares), "area": float(areas.mean())}
