"""At the end of training: what the model file holds to say when the model should not be asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ...bundle.abstention import AbstentionRules, NotFitted, layout
from .conformal import ALPHA, fit_conformal
from .out_of_distribution import FALSE_ALARMS, fit_out_of_distribution

BLOCK = 512
ALPHAS = (0.02, ALPHA)
"""At 0.05 a model with 3 % errors is confident of nearly all it says, its errors too."""


def fit_abstention_rules(
    logits: npt.NDArray[np.floating[Any]],
    features: npt.NDArray[np.floating[Any]],
    middle: npt.NDArray[np.floating[Any]],
    pixels: npt.NDArray[np.uint8],
    targets: npt.NDArray[Any],
    patients: Sequence[object],
    classes: Sequence[str],
    *,
    rows: npt.NDArray[np.int64] | None = None,
    multi_label: bool = False,
    alphas: Sequence[float] = ALPHAS,
    false_alarms: float = FALSE_ALARMS,
) -> AbstentionRules:
    """Both rules from n validation images, and from nothing else.

    `logits` (n, k), `features` (n, F) and `middle` (n, M) are `backbones.logits_and_features_of`
    those images; `pixels` uint8 (N, S, S), of which `rows` (n,) picks them (None: all); `targets`
    (n,) class indices, for several labels (n, k) of 1, 0, NaN; `patients` (n,), None if unknown.
    `alphas` are the shares of each class that may be lost to it: the first is taken that there are
    enough patients for. A rule that cannot be had is a `NotFitted` with its reason.
    """
    rows = np.arange(len(pixels)) if rows is None else rows
    starts = range(0, max(len(rows), 1), BLOCK)
    blocks = [layout(pixels[rows[start : start + BLOCK]]) for start in starts]
    measures = {"features": features, "middle": middle, "layout": np.concatenate(blocks)}
    for alpha in alphas:
        conformal = fit_conformal(
            logits, targets, patients, classes, multi_label=multi_label, alpha=alpha
        )
        if not isinstance(conformal, NotFitted):
            break
    return AbstentionRules(
        conformal, fit_out_of_distribution(measures, patients, false_alarms=false_alarms)
    )
