"""All that is said of an image: probabilities, decision, and how confident the model is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ...pixels.frame import Box, LungFrame
from ..engine import NetworkOutputs, Pixels
from .confidence import Status, confidences
from .rules import DecisionRules
from .words import Facts, caution, in_words, shares_in_words


@dataclass(frozen=True, repr=False)
class Prediction:
    """All that is said of one image; printed, what is not judged comes first.

    `decision` is the answer at the operating `thresholds` (class -> probability; empty where the
    most probable of several classes is taken), `most_probable` the class of the highest
    probability whatever the threshold. `calibrated` are the probabilities to show (as trained where
    no calibration was fitted), `probabilities` those as trained. `status`, `not_judged`,
    `probability`, `confident`, `out_of_distribution`, `reason`: see `Confidence`.
    `frame` is the box of the lungs that the network saw, as shares of the image's width and height
    (x0, y0, x1, y1; the whole image, 0, 0, 1, 1, where no lungs were found), and `frame_score` how
    probable upright lungs are, 0 to 1; None for a model that sees whole images, and for pixels of
    which nobody knows where they lay.
    """

    status: Status
    not_judged: tuple[str, ...]
    decision: str
    thresholds: dict[str, float]
    most_probable: str
    probabilities: dict[str, float]
    calibrated: dict[str, float]
    probability: float
    confident: bool | None
    out_of_distribution: bool | None
    reason: str
    frame: Box | None = None
    frame_score: float | None = None

    @property
    def judged(self) -> bool:
        """Whether a probability may be shown: everything was judged, and nothing is unlike."""
        return self.status in ("abstains", "confident")

    @property
    def caution(self) -> str:
        """What speaks against relying on it, the gravest first; empty when all is well."""
        return caution(self.status, self.not_judged, self.reason)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def __repr__(self) -> str:
        return in_words(
            Facts(
                self.status,
                "; ".join(self.not_judged),
                self.reason,
                self.decision,
                self.thresholds,
                shares_in_words(self.calibrated),
            )
        )


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
            status=confidence.status,
            not_judged=confidence.not_judged,
            decision=rules.decision(after),
            thresholds=rules.task.operating_thresholds,
            most_probable=rules.task.most_probable(after),
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
