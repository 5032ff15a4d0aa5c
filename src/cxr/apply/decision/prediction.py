"""All that is said of an image: probabilities, decision, and how confident the model is."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from ..engine import NetworkOutputs, Pixels
from .confidence import confidences
from .rules import DecisionRules


@dataclass(frozen=True)
class Prediction:
    """All that is said of one image.

    `decision` is the answer at the operating point, `prediction` the likeliest class as it came
    out of training; `calibrated` are the probabilities to show, `probabilities` those before
    calibration. `probability`, `confident`, `out_of_distribution`, `reason`: see `Confidence`.
    """

    prediction: str
    decision: str
    probabilities: dict[str, float]
    calibrated: dict[str, float]
    probability: float
    confident: bool | None
    out_of_distribution: bool | None
    reason: str

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def predictions(
    rules: DecisionRules,
    outputs: NetworkOutputs,
    pixels: Pixels,
    prevalence: float | None = None,
) -> list[Prediction]:
    """Of n images uint8 (n, S, S), from what the network gave for them.

    With `prevalence`, `calibrated` and `probability` are those of a population where that share
    has the finding; the decision and the confidence in it do not change.
    Raises UsageError for a prevalence that the model cannot take.
    """
    raw = rules.probabilities(outputs.logits).tolist()
    calibrated = rules.probabilities(outputs.logits, calibrated=True).tolist()
    shown = calibrated
    if prevalence is not None:
        shown = rules.probabilities(outputs.logits, prevalence=prevalence).tolist()
    confident = confidences(rules, outputs.logits, rules.distances(outputs, pixels), calibrated)
    images = zip(raw, calibrated, shown, confident, strict=True)
    return [
        Prediction(
            prediction=rules.likeliest(before),
            decision=rules.decision(after),
            probabilities=dict(zip(rules.vocab, before, strict=True)),
            calibrated=dict(zip(rules.vocab, displayed, strict=True)),
            probability=displayed[rules.class_of_interest(displayed)],
            confident=confidence.confident,
            out_of_distribution=confidence.out_of_distribution,
            reason=confidence.reason,
        )
        for before, after, displayed, confidence in images
    ]
