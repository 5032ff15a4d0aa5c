"""Stated probabilities against what was so, bin by bin: the numbers of a reliability diagram."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..intervals import clopper_pearson
from ..metrics.ece import bin_of


def reliability_bins(
    stated: NDArray[np.float64], truth: NDArray[np.bool_]
) -> list[dict[str, float]]:
    """One dict a bin of those that hold anything, rising: the ten bins that ECE has.

    `stated` mean probability and `seen` share of what was so, `low` to `high` its exact 95 %
    interval as if images were independent, `n` images (labels, where an image has several).
    """
    bins = bin_of(stated)
    return [_bin(stated[bins == one], truth[bins == one]) for one in np.unique(bins)]


def _bin(stated: NDArray[np.float64], truth: NDArray[np.bool_]) -> dict[str, Any]:
    hits, n = int(truth.sum()), len(truth)
    low, high = clopper_pearson(hits, n)
    return {"stated": float(stated.mean()), "seen": hits / n, "low": low, "high": high, "n": n}
