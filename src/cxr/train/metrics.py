"""What the learner shows after each epoch: functions of (probabilities, targets), as NumPy arrays.

Probabilities are (n, k) float; targets int (n,) class indices or float (n, k) of 1/0/NaN. The full
figures, with intervals, are made by `evaluate` from the predictions table.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .._stats.auroc import auroc as binary_auroc

Metric = Callable[[np.ndarray, np.ndarray], float]


def accuracy(probabilities: np.ndarray, targets: np.ndarray) -> float:
    """Share of right answers: the likeliest class, or for many labels each label at 0.5."""
    if targets.ndim == 1:
        return float((probabilities.argmax(axis=1) == targets).mean())
    known = ~np.isnan(targets)
    return float(((probabilities > 0.5) == (targets == 1))[known].mean())


def error_rate(probabilities: np.ndarray, targets: np.ndarray) -> float:
    return 1.0 - accuracy(probabilities, targets)


def auroc(probabilities: np.ndarray, targets: np.ndarray) -> float:
    """Area under the ROC curve; mean over classes when there are more than two.

    NaN where a class has no positive or no negative image.
    """
    if targets.ndim == 1:
        targets = np.eye(probabilities.shape[1])[targets]
        if probabilities.shape[1] == 2:
            probabilities, targets = probabilities[:, 1:], targets[:, 1:]
    areas = []
    for scores, truth in zip(probabilities.T, targets.T, strict=True):
        known = ~np.isnan(truth)
        areas.append(binary_auroc(scores[known], truth[known] == 1))
    return float(np.mean(areas))
