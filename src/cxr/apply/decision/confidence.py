"""Whether to be confident of a prediction or to abstain: each image's `Confidence`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Literal

import numpy as np
import numpy.typing as npt

from ..._io.text import listed, sentence, shorten
from ...bundle.abstention import (
    AbstentionRules,
    ConformalRule,
    NotFitted,
    OutOfDistributionDetector,
)
from ...pixels.frame import Finding, LungFrame
from .rules import DecisionRules, Floats

Status = Literal["out of distribution", "not judged", "abstains", "confident"]
NO_RULES = (
    "whether it is unlike the training images, and whether to be confident: the model file holds "
    "no rules for it (train the model again with this version)"
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
LEAST_SURE = 0.75
"""Below this probability of its own decision a model is never confident: it says itself that more
than one such answer in four is wrong, whatever the conformal rule allows a weak model."""
MAX_POPULATION = 160  # characters of it in a reason
MAX_NAMED = 3  # classes


@dataclass(frozen=True)
class Confidence:
    """`status` is the first thing to say of an image, the gravest that applies.

    `not_judged`: what of this image could not be judged and why, in plain words; then no
    probability is to be shown. `probability` is that of the positive class, or without one that of
    the most probable.

    `confident`: the image is like the training images, and the decision is the only class in its
    conformal prediction set, which holds the true class for a stated share (95 %) of the images of
    each class. `out_of_distribution`: it is unlike the training images. None: not judged.
    `reason`: why not, in plain words; empty when all is well.
    """

    status: Status
    not_judged: tuple[str, ...]
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
    without = [[]] * len(logits) if frames is None else [_no_chest(rules, one) for one in frames]
    of_interest = [one[rules.class_of_interest(one)] for one in calibrated]
    doubts = _doubts(rules, logits, calibrated)
    far = [None] * len(doubts) if distances is None else distances.tolist()
    gaps = list(_not_judged(rules.abstention))
    fitted = rules.abstention is not None and isinstance(rules.abstention.conformal, ConformalRule)
    result = []
    for probability, distance, doubt, no_chest in zip(
        of_interest, far, doubts, without, strict=True
    ):
        unlike = None if distance is None else distance > 1
        reasons = ([_unlike(rules, distance)] if unlike else []) + ([doubt] if doubt else [])
        against = reasons or no_chest
        confident = not against if fitted or against else None
        not_judged = (*no_chest, *gaps)
        status = _status(unlike, not_judged, confident)
        reason = "; ".join([*reasons, *_unknown_labels(rules)])
        result.append(Confidence(status, not_judged, probability, confident, unlike, reason))
    return result


def _status(unlike: bool | None, not_judged: Sequence[str], confident: bool | None) -> Status:
    if unlike:
        return "out of distribution"
    if not_judged:
        return "not judged"
    return "confident" if confident else "abstains"


def rules_in_words(rules: DecisionRules) -> list[str]:
    """When the model abstains, by the rules in its file: a sentence or two for each rule."""
    sentences = [f"Not judged: {gap}." for gap in _not_judged(rules.abstention)]
    sentences += [CHEST_RULE] if rules.config.frame == "whole" else [LUNGS_RULE, CHEST_RULE]
    if rules.abstention is None:
        return sentences
    conformal, detector = rules.abstention.conformal, rules.abstention.out_of_distribution
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
    return [*sentences, *(sentence(gap) for gap in _unknown_labels(rules))]


def _no_chest(rules: DecisionRules, frame: LungFrame) -> list[str]:
    """Why it was not judged as a frontal chest radiograph; nothing where it may be one."""
    reasons = [frame.doubt] if frame.doubt else []
    if not frame.found:
        taken = ", so the whole image was taken" if rules.config.frame == "lungs" else ""
        reasons.append(f"{NO_LUNGS[frame.finding]}{taken}")
    return reasons


def _unlike(rules: DecisionRules, distance: float) -> str:
    population = shorten(rules.config.population, MAX_POPULATION)
    return (
        f"unlike the training images (distance {distance:.1f} times their limit); the answer then "
        f"means nothing; they were: {population}"
    )


def _not_judged(abstention: AbstentionRules | None) -> Iterator[str]:
    """What cannot be judged of any image, and why."""
    if abstention is None:
        yield NO_RULES
        return
    for what, rule in (
        ("whether it is unlike the training images", abstention.out_of_distribution),
        ("whether to be confident", abstention.conformal),
    ):
        if isinstance(rule, NotFitted):
            yield f"{what}: {rule.reason}"


def _unknown_labels(rules: DecisionRules) -> list[str]:
    """Which labels the conformal rule leaves out, in words; of several labels only."""
    rule = None if rules.abstention is None else rules.abstention.conformal
    if not isinstance(rule, ConformalRule):
        return []
    pairs = zip(rules.vocab, _has_limits(rule), strict=True)
    unknown = [name for name, known in pairs if not known]
    return [f"not judged for want of validation patients: {_named(unknown, 'and')}"] * bool(unknown)


def _has_limits(rule: ConformalRule) -> npt.NDArray[np.bool_]:
    """(k,) for each class or label."""
    finite: npt.NDArray[np.bool_] = np.isfinite(rule.limits).reshape(len(rule.limits), -1)
    return np.logical_and.reduce(finite, axis=1)


def _doubts(
    rules: DecisionRules, logits: Floats, calibrated: Sequence[Sequence[float]]
) -> list[str]:
    """For each image why the model should abstain, or nothing."""
    rule = None if rules.abstention is None else rules.abstention.conformal
    if not isinstance(rule, ConformalRule):
        return [""] * len(logits)
    sets = rule.sets(logits)
    if rules.task.multi_label:
        # Confident of a label: its set holds what was decided, and nothing else.
        limits = list(rules.task.operating_thresholds.values())
        shares = np.asarray(calibrated)
        present = shares >= np.array(limits)
        sure = np.where(present, shares, 1 - shares) >= LEAST_SURE
        confident = (sets == np.stack([~present, present], axis=2)).all(
            axis=2
        ) & sure | ~_has_limits(rule)
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
    if (stated := _stated(rules, probabilities)) < LEAST_SURE:
        return f"not clear enough: its own probability for {decision} is {stated:.2f}"
    return ""


def _stated(rules: DecisionRules, probabilities: Sequence[float]) -> float:
    """The probability of the one class that was decided."""
    return probabilities[rules.task.decided(probabilities)[0]]


def _named(names: Sequence[str], word: str) -> str:
    return listed([shorten(name, 40) for name in names], word, MAX_NAMED)
