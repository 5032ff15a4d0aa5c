"""Area under the ROC curve: how often an image with the finding outscores one without.

The Mann-Whitney statistic over pairs, as a share; a tie counts half (Hanley and McNeil, 1982,
doi:10.1148/radiology.143.1.7063747).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .bootstrap import ratio, running_sum

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]


def auroc(scores: Floats, truth: NDArray[np.bool_]) -> float:
    """Of (n,) scores, higher where (n,) `truth` is likelier; NaN where one class is missing."""
    positives, negatives = by_falling_score(scores, truth)
    return float(weighted_auroc(scores, positives, negatives, np.ones((1, len(scores))))[0])


def by_falling_score(scores: Floats, truth: NDArray[np.bool_]) -> tuple[Indices, Indices]:
    """Indices of the images with the finding and of those without, each by falling score."""
    order = np.argsort(-scores, kind="stable")
    return order[truth[order]], order[~truth[order]]


def weighted_auroc(
    scores: Floats, positives: Indices, negatives: Indices, weights: Floats
) -> Floats:
    """(r,) areas, one for each row of `weights` (r, n); NaN where a class has no weight.

    `positives` and `negatives` are what `by_falling_score` gives for the (n,) scores.
    """
    falling, against = -scores[positives], -scores[negatives]
    above = np.searchsorted(falling, against, side="left")
    level = np.searchsorted(falling, against, side="right")
    positive, negative = running_sum(weights[:, positives]), weights[:, negatives]
    won = np.einsum("ru,ru->r", negative, positive[:, above])
    if (above < level).any():
        won = (won + np.einsum("ru,ru->r", negative, positive[:, level])) / 2
    return ratio(won, positive[:, -1] * negative.sum(axis=1))
