"""The tests that papers ask for, of two models on the same images: DeLong's and McNemar's.

DeLong, DeLong and Clarke-Pearson (1988) compare areas under ROC curves, here by the fast algorithm
of Sun and Xu (2014, doi:10.1109/LSP.2014.2337313): ranks in place of all pairs, so n log n in place
of n^2. McNemar (1947) compares errors, here exactly, not by chi-square.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError
from ..schema import undefined

Floats = NDArray[np.float64]
FEWEST = 2  # images of each class: a variance needs two
INDEPENDENT = "takes images as independent; the patient bootstrap does not"


@dataclass(frozen=True, eq=False)
class Areas:
    """`auroc` (k,) of k models and `covariance` (k, k) of their errors."""

    auroc: Floats
    covariance: Floats


def delong_areas(truth: NDArray[np.bool_], scores: Floats) -> Areas:
    """`truth` (n,) bool and `scores` (k, n), higher where the finding is likelier; ties count half.

    Raises DataError for fewer than two images of a class.
    """
    positives, negatives = scores[:, truth], scores[:, ~truth]
    m, n = positives.shape[1], negatives.shape[1]
    if min(m, n) < FEWEST:
        raise DataError(
            f"{m} images with the finding and {n} without; DeLong's test needs {FEWEST} of each"
        )
    joint = midranks(np.concatenate([positives, negatives], axis=1))
    won = (joint[:, :m] - midranks(positives)) / n  # (k, m) share of negatives outscored
    outscored = 1 - (joint[:, m:] - midranks(negatives)) / m  # (k, n) share of positives above
    covariance = np.atleast_2d(np.cov(won)) / m + np.atleast_2d(np.cov(outscored)) / n
    return Areas(won.mean(axis=1), covariance)


def midranks(values: Floats) -> Floats:
    """(k, n) ranks from 1 in each row; equal values share the mean of their ranks."""
    ranks = np.empty(values.shape)
    for row, out in zip(values, ranks, strict=True):
        _, place, count = np.unique(row, return_inverse=True, return_counts=True)
        out[:] = (np.cumsum(count) - (count - 1) / 2)[place]
    return ranks


def delong_test(
    truth: NDArray[np.bool_], a: Floats, b: Floats, level: float = 0.95
) -> dict[str, Any]:
    """The difference in AUROC, b minus a, with its interval, `standard_error`, `z`, `p_value`.

    `truth` (n,) bool; `a`, `b` (n,) scores of the same images. Undefined, with a reason, for fewer
    than two images of a class, or where both models rank all images alike.
    """
    from scipy.special import ndtr, ndtri  # scipy.stats would take seconds to import

    if min(truth.sum(), (~truth).sum()) < FEWEST:
        return {**undefined(f"fewer than {FEWEST} images of a class")}
    areas = delong_areas(truth, np.stack([a, b]))
    contrast = np.array([-1.0, 1.0])
    difference = float(contrast @ areas.auroc)
    variance = float(contrast @ areas.covariance @ contrast)
    if variance <= np.finfo(float).eps ** 2:  # what rounding leaves of nothing
        return {"value": difference, "reason": "no test: the difference has no spread"}
    error = float(np.sqrt(variance))
    z, reach = difference / error, float(ndtri((1 + level) / 2)) * error
    return {
        "value": difference,
        "low": max(-1.0, difference - reach),
        "high": min(1.0, difference + reach),
        "n": len(truth),
        "standard_error": error,
        "z": z,
        "p_value": float(2 * ndtr(-abs(z))),
        "note": INDEPENDENT,
    }


def mcnemar_test(a_right: NDArray[np.bool_], b_right: NDArray[np.bool_]) -> dict[str, Any]:
    """Do they err equally often? Counts of the four outcomes, and the two-sided exact `p_value`.

    `a_right` and `b_right` (n,) are whether each model decides each image rightly.

    Only images that one model alone decides rightly count; were the models equal, each of the two
    would have half of them. 1 where there is no such image.
    """
    from scipy.special import bdtr  # scipy.stats would take seconds to import

    only_a, only_b = int((a_right & ~b_right).sum()), int((b_right & ~a_right).sum())
    return {
        "both_right": int((a_right & b_right).sum()),
        "only_a_right": only_a,
        "only_b_right": only_b,
        "both_wrong": int((~a_right & ~b_right).sum()),
        "p_value": min(1.0, 2 * float(bdtr(min(only_a, only_b), only_a + only_b, 0.5))),
        "note": INDEPENDENT,
    }
