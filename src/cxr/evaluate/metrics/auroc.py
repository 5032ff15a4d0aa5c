"""Area under the ROC curve: how often an image with the finding outscores one without.

The Mann-Whitney statistic over pairs; a tie counts half (Hanley and McNeil, 1982).
"""

from __future__ import annotations

import numpy as np

from .metric import Metric
from .sample import Binary, Floats, ratio, running_sum


def auroc(sample: Binary, weights: Floats) -> Floats:
    with_it, without = sample.by_class
    falling, against = -sample.scores[with_it], -sample.scores[without]
    above = np.searchsorted(falling, against, side="left")
    level = np.searchsorted(falling, against, side="right")
    found, cleared = running_sum(weights[:, with_it]), weights[:, without]
    won = np.einsum("ru,ru->r", cleared, found[:, above])
    if (above < level).any():
        won = (won + np.einsum("ru,ru->r", cleared, found[:, level])) / 2
    return ratio(won, found[:, -1] * cleared.sum(axis=1))


AUROC = Metric("auroc", auroc, "all images are of one class; it needs both", bounds=(0.0, 1.0))
