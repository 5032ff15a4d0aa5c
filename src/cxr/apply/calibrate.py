"""From the logits of a network to those of a model that can be taken at its word."""

from __future__ import annotations

import torch
from torch import Tensor

from ..bundle import BundleConfig
from ..errors import UsageError


def calibrate(logits: Tensor, config: BundleConfig, prevalence: float | None = None) -> Tensor:
    """(n, k) logits, by the vector or the temperature that was fitted on validation.

    `prevalence` corrects them for a population of which that share has the finding: see
    `prevalence_shift`.
    """
    if config.calibration is None:
        calibrated = logits / config.temperature
    else:
        factors, biases = (
            torch.tensor(config.calibration[name], dtype=torch.float64)
            for name in ("factors", "biases")
        )
        calibrated = (logits * factors + biases).to(logits.dtype)
    return calibrated if prevalence is None else calibrated + prevalence_shift(config, prevalence)


def prevalence_shift(config: BundleConfig, prevalence: float) -> Tensor:
    """(2,) what is added to calibrated logits where that share of images shows the finding.

    See `evaluate.calibration.at_prevalence`, which does the same to probabilities.
    Raises UsageError for a model of other than two classes or one that does not record the share
    of its validation images, and for a share that is not above 0 and below 1.
    """
    from ..evaluate.calibration import log_odds_shift  # pandas and more, for this alone

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
    shift = torch.zeros(2)
    shift[config.classes.index(config.positive)] = log_odds_shift(recorded, prevalence)
    return shift
