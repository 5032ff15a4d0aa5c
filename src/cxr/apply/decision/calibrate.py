"""From the logits of a network to those of a model that can be taken at its word."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ...bundle.config import BundleConfig
from ...bundle.prevalence import log_odds_shift
from ...errors import UsageError

Floats = npt.NDArray[np.floating[Any]]


def calibrate(logits: Floats, config: BundleConfig, prevalence: float | None = None) -> Floats:
    """(n, k) logits, by the vector or the temperature that was fitted on validation.

    `prevalence` corrects them for a population of which that share has the finding: see
    `prevalence_shift`.
    """
    if config.calibration is None:
        calibrated = logits / np.float32(config.temperature)
    else:
        factors, biases = (np.array(config.calibration[name]) for name in ("factors", "biases"))
        calibrated = (logits * factors + biases).astype(np.float32)
    return calibrated if prevalence is None else calibrated + prevalence_shift(config, prevalence)


def prevalence_shift(config: BundleConfig, prevalence: float) -> npt.NDArray[np.float32]:
    """(2,) what is added to calibrated logits where that share of images shows the finding.

    See `evaluate.calibration.at_prevalence`, which does the same to probabilities.
    Raises UsageError for a model of other than two classes or one that does not record the share
    of its validation images, and for a share that is not above 0 and below 1.
    """
    if config.positive is None or len(config.classes) != 2 or config.multi_label:
        raise UsageError(
            f"a prevalence of {prevalence} for {len(config.classes)} classes; one finding is "
            "needed, two classes that exclude each other"
        )
    recorded = config.training_data.get("prevalence")
    if not isinstance(recorded, float) or not 0 < recorded < 1:
        raise UsageError(
            "the model does not record how frequent the finding was where it was calibrated, so a "
            "prevalence cannot be corrected for; train it again with this version of cxr"
        )
    shift = np.zeros(2, np.float32)
    shift[config.classes.index(config.positive)] = log_odds_shift(recorded, prevalence)
    return shift


def probabilities_of(logits: Floats, multi_label: bool) -> npt.NDArray[np.float32]:
    """(n, k): softmax over classes, or a sigmoid for each label; computed in fp64."""
    exact = np.asarray(logits, np.float64)
    if multi_label:
        return np.exp(-np.logaddexp(0, -exact)).astype(np.float32)
    return np.exp(exact - np.logaddexp.reduce(exact, axis=1, keepdims=True)).astype(np.float32)
