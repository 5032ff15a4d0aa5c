"""From a network's logits to calibrated probabilities and a decision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ...bundle.abstention import AbstentionRules, NotFitted, layout
from ...bundle.config import BundleConfig
from ...bundle.task import Task, log_odds_shift
from ...errors import UsageError
from ..engine import NetworkOutputs, Pixels

Floats = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class DecisionRules:
    """What a model file says of logits, without its network: how to calibrate them, where to
    decide, and when to abstain."""

    config: BundleConfig
    abstention: AbstentionRules | None = None

    @property
    def task(self) -> Task:
        return self.config.task

    @property
    def vocab(self) -> tuple[str, ...]:
        return self.config.classes

    def probabilities(
        self, logits: Floats, calibrated: bool = False, prevalence: float | None = None
    ) -> npt.NDArray[np.float32]:
        """(n, k); `calibrated` as fitted on validation.

        `prevalence` gives calibrated ones for a population of which that share has the finding.
        Show those, but decide by `decision` from the ones without it: the threshold goes with them.
        Raises UsageError for a prevalence that `prevalence_shift` refuses.
        """
        if calibrated or prevalence is not None:
            logits = calibrate(logits, self.config, prevalence)
        return probabilities_of(logits, self.config.multi_label)

    def decision(self, calibrated: Sequence[float]) -> str:
        """`Task.decide` of calibrated probabilities (k,): by the operating threshold."""
        return self.task.decide(calibrated)

    def class_of_interest(self, probabilities: Sequence[float]) -> int:
        """The class to speak of: the positive one where there is one, else the most probable."""
        return self.task.class_of_interest(probabilities)

    def distances(self, outputs: NetworkOutputs, pixels: Pixels) -> Floats | None:
        """How far each of n images is from the training images, in units of their limit (n,);
        None when the model file does not know."""
        detector = None if self.abstention is None else self.abstention.out_of_distribution
        if detector is None or isinstance(detector, NotFitted):
            return None
        return detector.distances(
            {"features": outputs.features, "middle": outputs.middle, "layout": layout(pixels)}
        )


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
    if not config.task.binary:
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
    shift[config.task.positive_index] = log_odds_shift(recorded, prevalence)
    return shift


def probabilities_of(logits: Floats, multi_label: bool) -> npt.NDArray[np.float32]:
    """(n, k): softmax over classes, or a sigmoid for each label; computed in fp64."""
    exact = np.asarray(logits, np.float64)
    if multi_label:
        return np.exp(-np.logaddexp(0, -exact)).astype(np.float32)
    return np.exp(exact - np.logaddexp.reduce(exact, axis=1, keepdims=True)).astype(np.float32)
