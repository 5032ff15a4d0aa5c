"""Area under the ROC curve: how often an image with the finding outscores one without.

The Mann-Whitney statistic over pairs; a tie counts half (Hanley and McNeil, 1982).
"""

from __future__ import annotations

import numpy as np

from .metric import Metric
from .sample import Binary, Floats, ratio


def auroc(sample: Binary, weights: Floats) -> Floats:
    positives, negatives = sample.ranked_counts(weights)
    above = np.cumsum(positives, axis=1)  # positives with this score or a higher one
    won = np.einsum("ru,ru->r", negatives, above - positives / 2)
    return ratio(won, above[:, -1] * negatives.sum(axis=1))


AUROC = Metric("auroc", auroc, "all images are of one class; it needs both")
