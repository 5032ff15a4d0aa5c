"""Whether to be confident of a prediction or to abstain: each image's `Confidence`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from ..._io.text import listed, shorten
from ...bundle.abstention import (
    AbstentionRules,
    ConformalRule,
    NotFitted,
    OutOfDistributionDetector,
)
from ...bundle.task import LABEL_THRESHOLD
from ...pixels.frame import Finding, LungFrame
from .rules import DecisionRules, Floats

NO_RULES = (
    "not judged: the model file holds no rules for it; train the model again with this version"
)
LUNGS_RULE = (
    "The model sees the lungs, cut by a lung frame. Where no upright lungs are found it sees the "
    "whole image."
)
CHEST_RULE = (
    "The model is never confident of an image that cannot be judged as a frontal chest X-ray: no "
    "upright lungs are found in it, it is in colour, or its DICOM header says that it is another "
    "kind of image, another part of the body or a lateral view."
)
NO_LUNGS: dict[Finding, str] = {
    "turned": "the image is turned: lungs were found, but not upright",
    "inverted": "the image is inverted: bones are black",
    "none": "no lungs were found in the image",
}
MAX_POPULATION = 160  # characters of it in a reason
MAX_NAMED = 3  # classes


@dataclass(frozen=True)
class Confidence:
    """`probability` is that of the positive class, or without one that of the likeliest.

    `confident`: the image is like the training images, and the decision is the only class in its
    conformal prediction set, which holds the true class for a stated share (95 %) of the images of
    each class. `out_of_distribution`: it is unlike the training images. None: not judged.
    `reason`: why not, in plain words; empty when all is well.
    """

    probability: float
    confident: bool | None
    out_of_distribution: bool | None
    reason: str


FIELDS = tuple(field.name for field in fields(Confidence))


def confidences(
    rules: DecisionRules,
    logits: Floats,
    distances: Floats | None,
    calibrated: Sequence[Sequence[float]],
    frames: Sequence[LungFrame] | None = None,
) -> list[Confidence]:
    """Of n images: from their logits (n, k), `DecisionRules.distances` (n,) and calibrated
    probabilities (n, k).

    `frames` of them: a model is never confident where no lungs were found, or where the file shows
    that it is no frontal chest radiograph.
    """
    gaps = [""] * len(logits) if frames is None else [_no_chest(rules, one) for one in frames]
    of_interest = [one[rules.class_of_interest(one)] for one in calibrated]
    abstention = rules.abstention
    if abstention is None:
        pairs = zip(of_interest, gaps, strict=True)
        return [
            Confidence(probability, False, None, f"{gap}; {NO_RULES}")
            if gap
            else Confidence(probability, None, None, NO_RULES)
            for probability, gap in pairs
        ]
    doubts = _doubts(rules, abstention.conformal, logits, calibrated)
    far = [None] * len(doubts) if distances is None else distances.tolist()
    not_judged = list(_not_judged(rules, abstention))
    fitted = isinstance(abstention.conformal, ConformalRule)
    result = []
    for probability, distance, doubt, gap in zip(of_interest, far, doubts, gaps, strict=True):
        unlike = None if distance is None else distance > 1
        reasons = [gap] if gap else []
        reasons += [_unlike(rules, distance)] if unlike else []
        reasons += [doubt] if doubt else []
        confident = not reasons if fitted or reasons else None
        reason = "; ".join([*reasons, *not_judged])
        result.append(Confidence(probability, confident, unlike, reason))
    return result


def rules_in_words(rules: DecisionRules) -> list[str]:
    """When the model abstains, by the rules in its file: a sentence or two for each rule."""
    abstention = rules.abstention
    if abstention is None:
        gap = f"Whether to be confident of an answer is {NO_RULES}."
        return [*_frame_rules(rules), gap]
    sentences = _frame_rules(rules)
    conformal, detector = abstention.conformal, abstention.out_of_distribution
    if isinstance(conformal, ConformalRule):
        fewest = conformal.patients[np.isfinite(conformal.limits)].min()
        sentences.append(
            f"The model is confident of an answer only where no other one fits the image, by "
            f"limits within which {100 * (1 - conformal.alpha):g} % of the images of each class "
            f"lie. The limits are from validation, at least {fewest:,} patients a class."
        )
    if isinstance(detector, OutOfDistributionDetector):
        sentences.append(
            f"An image is called unlike the training images when it lies farther from what is "
            f"usual than all but {100 * detector.false_alarms:g} % of the validation images "
            f"({detector.n_images:,}). The model is never confident of such an image."
        )
    gaps = _not_judged(rules, abstention)
    return [*sentences, *(f"{gap[0].upper()}{gap[1:]}." for gap in gaps)]


def _frame_rules(rules: DecisionRules) -> list[str]:
    return [CHEST_RULE] if rules.config.frame == "whole" else [LUNGS_RULE, CHEST_RULE]


def _no_chest(rules: DecisionRules, frame: LungFrame) -> str:
    """Why it was not judged as a frontal chest radiograph; nothing where it may be one."""
    reasons = [frame.doubt] if frame.doubt else []
    if not frame.found:
        taken = ", so the whole image was taken" if rules.config.frame == "lungs" else ""
        reasons.append(f"{NO_LUNGS[frame.finding]}{taken}")
    return "; ".join([*reasons, "it was not judged as a chest X-ray"]) if reasons else ""


def _unlike(rules: DecisionRules, distance: float) -> str:
    population = shorten(rules.config.population, MAX_POPULATION)
    return (
        f"unlike the training images (distance {distance:.1f} times their limit); the answer then "
        f"means nothing; they were: {population}"
    )


def _not_judged(rules: DecisionRules, abstention: AbstentionRules) -> Iterator[str]:
    """What cannot be judged of any image."""
    for what, rule in (
        ("whether it is unlike the training images", abstention.out_of_distribution),
        ("whether to be confident", abstention.conformal),
    ):
        if isinstance(rule, NotFitted):
            yield f"{what} was not judged: {rule.reason}"
    if isinstance(abstention.conformal, ConformalRule):
        pairs = zip(rules.vocab, _has_limits(abstention.conformal), strict=True)
        if unknown := [name for name, known in pairs if not known]:
            names = _named(unknown, "and")
            yield f"not judged for want of validation patients: {names}"


def _has_limits(rule: ConformalRule) -> npt.NDArray[np.bool_]:
    """(k,) for each class or label."""
    finite: npt.NDArray[np.bool_] = np.isfinite(rule.limits).reshape(len(rule.limits), -1)
    return np.logical_and.reduce(finite, axis=1)


def _doubts(
    rules: DecisionRules,
    rule: ConformalRule | NotFitted,
    logits: Floats,
    calibrated: Sequence[Sequence[float]],
) -> list[str]:
    """For each image why the model should abstain, or nothing."""
    if isinstance(rule, NotFitted):
        return [""] * len(logits)
    sets = rule.sets(logits)
    if rules.task.multi_label:
        # Confident of a label: its set holds what was decided, and nothing else.
        present = np.asarray(calibrated) >= LABEL_THRESHOLD
        confident = (sets == np.stack([~present, present], axis=2)).all(axis=2) | ~_has_limits(rule)
        doubtful = [
            [name for name, yes in zip(rules.vocab, one, strict=True) if not yes]
            for one in confident
        ]
        return [f"not clear enough: {_named(names, 'and')}" if names else "" for names in doubtful]
    pairs = zip(sets, calibrated, strict=True)
    return [_doubt(rules, one, rule.alpha, probabilities) for one, probabilities in pairs]


def _doubt(
    rules: DecisionRules,
    prediction_set: npt.NDArray[np.bool_],
    alpha: float,
    probabilities: Sequence[float],
) -> str:
    names = [name for name, fits in zip(rules.vocab, prediction_set, strict=True) if fits]
    decision = rules.decision(probabilities)
    if not names:
        share = f"{100 * (1 - alpha):g} %"
        return f"a borderline case: less clear than {share} of the validation images of any class"
    if len(names) > 1:
        return f"not clear enough: it may be {_named(names, 'or')}"
    if names[0] != decision:
        return f"close to the threshold: decided {decision}, though more usual for {names[0]}"
    return ""


def _named(names: Sequence[str], word: str) -> str:
    return listed([shorten(name, 40) for name in names], word, MAX_NAMED)
