"""What a probability becomes where the finding is more, or less, frequent.

Saerens, Latinne, Decaestecker: Adjusting the outputs of a classifier to new a priori probabilities
(2002). It holds where the ill look like the ill here and the healthy like the healthy here, and
only their shares differ: other machines, ages or stages of the disease it cannot correct.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...bundle.prevalence import log_odds_shift


def at_prevalence(
    probabilities: ArrayLike, trained_prevalence: float, stated_prevalence: float
) -> NDArray[np.float64]:
    """Calibrated probabilities of the finding, of any shape, as they are where it is so frequent.

    `trained_prevalence` is its share of the images that the probabilities were calibrated on. The
    odds are multiplied by the ratio of the odds of both shares, so the order of images, and with it
    the AUROC, stays. A threshold moves likewise: `at_prevalence(threshold, ...)` decides the same.
    Raises UsageError for a prevalence that is not above 0 and below 1.
    """
    p = np.asarray(probabilities, np.float64)
    ill = p * math.exp(log_odds_shift(trained_prevalence, stated_prevalence))
    return np.asarray(ill / (ill + (1 - p)))
