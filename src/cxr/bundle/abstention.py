"""When a model should abstain: two rules that a model file may hold, and how to apply them.

`cxr.evaluate` fits them on validation images; a rule that could not be fitted is a `NotFitted`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]

DESCRIPTIONS = ("features", "middle", "layout")
GRID = 8  # blocks a side of the thumbnail
FLAT = 4.0  # grey levels of spread below which a thumbnail's contrast is not raised to the usual


@dataclass(frozen=True)
class NotFitted:
    """Why there is no rule, in plain words."""

    reason: str


@dataclass(frozen=True)
class ConformalRule:
    """Which classes an image may belong to, so that each holds 1 - `alpha` of its own.

    `limits` float64: (k,), for each class the largest nonconformity that is still usual in it; for
    several labels (k, 2), of images without the label and with it. NaN: too few to say (several
    labels only). `patients` int64, of that shape: from how many patients.
    """

    alpha: float
    limits: Floats
    patients: npt.NDArray[np.int64]

    def sets(self, logits: Floats) -> npt.NDArray[np.bool_]:
        """(n, k) logits as trained -> (n, *limits.shape): what each image may be."""
        return nonconformity(logits, self.limits.ndim == 2) <= self.limits


@dataclass(frozen=True)
class FeatureDistribution:
    """One description of the usual images: a normal distribution with few principal directions.

    The distance of x (d,), with z = (x - centre) / scale, is sqrt(|z|^2 - sum shrink (axes z)^2),
    Mahalanobis' with one variance for all that lies outside the axes (Moghaddam & Pentland, 1997;
    Tipping & Bishop, 1999). `middle` and `spread` are the median of its logarithm on unseen usual
    images, and the way from there to the limit. All float32: centre and scale (d,), axes (m, d)
    with orthonormal rows, shrink (m,) from 0 to below 1.
    """

    centre: Floats
    scale: Floats
    axes: Floats
    shrink: Floats
    middle: float = 0.0
    spread: float = 1.0

    def log_distance(self, x: Floats) -> Floats:
        """(n, d) -> (n,)."""
        z = (x - self.centre) / self.scale
        inside = z @ self.axes.T
        squared = np.einsum("ij,ij->i", z, z) - (inside * inside) @ self.shrink
        return 0.5 * np.log(np.maximum(squared, 1e-6))

    def standardised(self, x: Floats) -> Floats:
        """(n, d) -> (n,): 0 for the median usual image, 1 for one at the limit."""
        return (self.log_distance(x) - self.middle) / self.spread


@dataclass(frozen=True)
class OutOfDistributionDetector:
    """Tells images that are unlike those of the training population.

    The distance is the mean of the standardised log distances from the `distributions`, divided by
    `limit`: above 1, which `false_alarms` of the usual images exceed, an image is unlike them.
    """

    distributions: Mapping[str, FeatureDistribution]
    limit: float
    false_alarms: float
    n_images: int

    def distances(self, measures: Mapping[str, Floats]) -> Floats:
        """(n, d) of each part by its name -> (n,), in units of the limit."""
        mean = sum(part.standardised(measures[name]) for name, part in self.distributions.items())
        return np.asarray(mean) / len(self.distributions) / self.limit


@dataclass(frozen=True)
class AbstentionRules:
    """Both rules, or why one is missing."""

    conformal: ConformalRule | NotFitted
    out_of_distribution: OutOfDistributionDetector | NotFitted


def nonconformity(logits: Floats, multi_label: bool) -> npt.NDArray[np.float64]:
    """The nonconformity score of (n, k) logits: (n, k) log-odds against each class, float64.

    Of several labels (n, k, 2): against the label's absence, and against its presence.
    """
    exact = np.asarray(logits, np.float64)
    if multi_label:
        return np.stack([exact, -exact], axis=2)
    rows, first = np.arange(len(exact)), exact.argmax(axis=1)
    total = np.logaddexp.reduce(exact, axis=1, keepdims=True)
    # Of all others together, by what a class lacks to 1; the first may lack nothing that is seen.
    others = total + np.log1p(-np.minimum(np.exp(exact - total), 0.5))
    rest = exact.copy()
    rest[rows, first] = -np.inf
    others[rows, first] = np.logaddexp.reduce(rest, axis=1)
    return others - exact


def layout(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """uint8 (n, S, S) -> (n, 64): 8 x 8 block means with mean 0 and spread 1, where grey lies."""
    n, side = len(pixels), pixels.shape[1] // GRID
    whole = pixels[:, : GRID * side, : GRID * side].reshape(n, GRID, side, GRID * side)
    columns = whole.sum(2, dtype=np.uint16).reshape(n, GRID, GRID, side)  # rows first: it is faster
    blocks = columns.sum(3, dtype=np.uint32).reshape(n, GRID**2).astype(np.float32) / side**2
    blocks -= blocks.mean(1, keepdims=True)
    return blocks / np.maximum(blocks.std(1, keepdims=True), FLAT)
