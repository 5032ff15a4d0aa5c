"""The operating point: the probability from which an image is called positive."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, UsageError
from .predictions import Predictions

RULES = "youden, sensitivity:0.95 or specificity:0.9 (any share from 0 to 1)"


def choose_threshold(predictions: Predictions, rule: str = "youden") -> float:
    """A threshold in [0, 1] for two classes; choose it on validation images, never on test ones.

    `youden` maximises sensitivity + specificity - 1 (Youden, 1950). `sensitivity:0.95` is the
    highest threshold that finds that share of the positives, `specificity:0.9` the lowest that
    clears that share of the negatives. It lies midway between two neighbouring scores, so that a
    last digit that differs elsewhere changes no decision.
    Raises UsageError for another rule or other than two classes, DataError when the images are
    all of one class or no threshold reaches the share.
    """
    kind, share = parse_rule(rule)
    truth = predictions.targets == predictions.positive_index
    if truth.all() or not truth.any():
        raise DataError(
            f"all {len(truth)} images are of one class; a threshold needs images of both"
        )
    scores = predictions.probabilities[:, predictions.positive_index]
    candidates = _candidates(scores)
    sensitivity = _share_from(scores[truth], candidates)
    specificity = 1 - _share_from(scores[~truth], candidates)
    if kind == "youden":
        return float(candidates[np.argmax(sensitivity + specificity)])
    reached = (sensitivity if kind == "sensitivity" else specificity) >= share - 1e-12
    if not reached.any():
        raise DataError(f"no threshold reaches {rule} on these images; ask for a smaller share")
    return float(candidates[reached][-1 if kind == "sensitivity" else 0])


def parse_rule(rule: str) -> tuple[str, float]:
    """("sensitivity", 0.95) of "sensitivity:0.95". Raises UsageError for what is no rule."""
    kind, _, share = rule.partition(":")
    if rule == "youden":
        return kind, 0.0
    try:
        wanted = float(share)
    except ValueError:
        wanted = float("nan")
    if kind not in ("sensitivity", "specificity") or not 0 <= wanted <= 1:
        raise UsageError(f"threshold rule {rule!r}; allowed: {RULES}")
    return kind, wanted


def _candidates(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rising; each splits the scores differently, from all positive to (below 1) none."""
    distinct = np.unique(scores)
    return np.r_[distinct[0] / 2, (distinct[1:] + distinct[:-1]) / 2, (distinct[-1] + 1) / 2]


def _share_from(
    scores: NDArray[np.float64], thresholds: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Share of the scores at or above each threshold."""
    return 1 - np.searchsorted(np.sort(scores), thresholds, side="left") / len(scores)
