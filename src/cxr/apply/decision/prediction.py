"""All that is said of an image: probabilities, decision, and how confident the model is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ...pixels.frame import Box, LungFrame
from ..engine import NetworkOutputs, Pixels
from .confidence import confidences
from .rules import DecisionRules


@dataclass(frozen=True)
class Prediction:
    """All that is said of one image.

    `decision` is the answer at the operating point, `prediction` the likeliest class as it came
    out of training; `calibrated` are the probabilities to show, `probabilities` those before
    calibration. `probability`, `confident`, `out_of_distribution`, `reason`: see `Confidence`.
    `frame` is the box of the lungs that the network saw, as shares of the image's width and height
    (x0, y0, x1, y1; the whole image, 0, 0, 1, 1, where no lungs were found), and `frame_score` how
    probable upright lungs are, 0 to 1; None for a model that sees whole images, and for pixels of
    which nobody knows where they lay.
    """

    prediction: str
    decision: str
    probabilities: dict[str, float]
    calibrated: dict[str, float]
    probability: float
    confident: bool | None
    out_of_distribution: bool | None
    reason: str
    frame: Box | None = None
    frame_score: float | None = None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def predictions(
    rules: DecisionRules,
    outputs: NetworkOutputs,
    pixels: Pixels,
    prevalence: float | None = None,
    frames: Sequence[LungFrame] | None = None,
) -> list[Prediction]:
    """Of n images uint8 (n, S, S), from what the network gave for them.

    With `prevalence`, `calibrated` and `probability` are those of a population where that share
    has the finding; the decision and the confidence in it do not change.
    `frames` (see `load_for_prediction`) say what part of each image its pixels show, and what
    speaks against a frontal chest radiograph; a model is then never confident.
    Raises UsageError for a prevalence that the model cannot take.
    """
    lungs = frames if rules.config.frame == "lungs" else None
    raw = rules.probabilities(outputs.logits).tolist()
    calibrated = rules.probabilities(outputs.logits, calibrated=True).tolist()
    shown = calibrated
    if prevalence is not None:
        shown = rules.probabilities(outputs.logits, prevalence=prevalence).tolist()
    distances = rules.distances(outputs, pixels)
    confident = confidences(rules, outputs.logits, distances, calibrated, frames)
    known: Sequence[LungFrame | None] = lungs or [None] * len(raw)
    images = zip(raw, calibrated, shown, confident, known, strict=True)
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
            frame=None if frame is None else frame.box,
            frame_score=None if frame is None else frame.score,
        )
        for before, after, displayed, confidence, frame in images
    ]
