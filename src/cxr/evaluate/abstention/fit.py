"""At the end of training: what the model file holds to say when it should abstain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ...bundle.abstention import AbstentionRules, NotFitted, layout
from .conformal import ALPHA, fit_conformal
from .out_of_distribution import FALSE_ALARMS, fit_out_of_distribution

BLOCK = 512
ALPHAS = (0.02, ALPHA)
"""At 0.05 a model with 3 % errors is confident of nearly all it says, its errors too."""


@dataclass(frozen=True, eq=False)
class ValidationOutputs:
    """What a network gave for n validation images, as trained, and what is true of them.

    `logits` (n, k), `features` (n, F) and `middle` (n, M) float; `targets` (n,) class indices, or
    with `multi_label` (n, k) of 1, 0, NaN; `patients` (n,), None where unknown.
    """

    logits: npt.NDArray[np.floating[Any]]
    features: npt.NDArray[np.floating[Any]]
    middle: npt.NDArray[np.floating[Any]]
    targets: npt.NDArray[Any]
    patients: Sequence[object]
    classes: Sequence[str]
    multi_label: bool = False


def fit_abstention_rules(
    validation: ValidationOutputs,
    pixels: npt.NDArray[np.uint8],
    rows: npt.NDArray[np.int64] | None = None,
    *,
    alphas: Sequence[float] = ALPHAS,
    false_alarms: float = FALSE_ALARMS,
) -> AbstentionRules:
    """Both rules from n validation images, and from nothing else.

    `pixels` uint8 (N, S, S) hold those images, `rows` (n,) picks them (None: all). `alphas` are the
    shares of each class that may be lost to the conformal rule: the first is taken that there are
    enough patients for. A rule that cannot be had is a `NotFitted` with its reason.
    """
    rows = np.arange(len(pixels)) if rows is None else rows
    starts = range(0, max(len(rows), 1), BLOCK)
    blocks = [layout(pixels[rows[start : start + BLOCK]]) for start in starts]
    measures = {
        "features": validation.features,
        "middle": validation.middle,
        "layout": np.concatenate(blocks),
    }
    for alpha in alphas:
        conformal = fit_conformal(
            validation.logits,
            validation.targets,
            validation.patients,
            validation.classes,
            multi_label=validation.multi_label,
            alpha=alpha,
        )
        if not isinstance(conformal, NotFitted):
            break
    detector = fit_out_of_distribution(measures, validation.patients, false_alarms=false_alarms)
    return AbstentionRules(conformal, detector)
