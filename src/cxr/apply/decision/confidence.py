"""Whether to be confident of a prediction or to abstain: each image's `Confidence`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from ..._io.text import listed, shorten
from ...bundle.abstention import (
    AbstentionRules,
    ConformalRule,
    NotFitted,
    OutOfDistributionDetector,
)
from .rules import DecisionRules, Floats

NO_RULES = (
    "not judged: the model file holds no rules for it; train the model again with this version"
)
MAX_POPULATION = 160  # characters of it in a reason
MAX_NAMED = 3  # classes


@dataclass(frozen=True)
class Confidence:
    """`probability` is that of the positive class, or without one that of the likeliest.

    `confident`: the image is like the training images, and the decision is the only class that it
    may belong to, by a rule that holds the true class for a stated share (95 %) of the images of
    each class. `out_of_distribution`: it is unlike them. None: not judged. `reason`: why, in plain
    words; empty when all is well.
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
) -> list[Confidence]:
    """Of n images: from their logits (n, k), `DecisionRules.distances` (n,) and calibrated
    probabilities (n, k)."""
    abstention = rules.abstention
    if abstention is None:
        return [
            Confidence(one[rules.class_of_interest(one)], None, None, NO_RULES)
            for one in calibrated
        ]
    unsure = _unsure(rules, abstention.conformal, logits, calibrated)
    far = [None] * len(unsure) if distances is None else distances.tolist()
    gaps = _gaps(rules, abstention)
    judged = isinstance(abstention.conformal, ConformalRule)
    found = []
    for chances, distance, doubt in zip(calibrated, far, unsure, strict=True):
        unlike = None if distance is None else distance > 1
        doubts = [_far(rules, distance)] if unlike else []
        doubts += [doubt] if doubt else []
        confident = not doubts if judged or doubts else None
        reason = "; ".join([*doubts, *gaps])
        found.append(
            Confidence(chances[rules.class_of_interest(chances)], confident, unlike, reason)
        )
    return found


def as_columns(confidence: Confidence | None) -> dict[str, Any]:
    """The fields of one image; all None for one that could not be read."""
    return dict.fromkeys(FIELDS) if confidence is None else asdict(confidence)


def rules_in_words(rules: DecisionRules) -> list[str]:
    """What the model file holds to judge answers by, a sentence or two for each rule."""
    abstention = rules.abstention
    if abstention is None:
        return [f"Whether to trust an answer is {NO_RULES}."]
    sentences = []
    if isinstance(abstention.conformal, ConformalRule):
        share, fewest = (
            f"{100 * (1 - abstention.conformal.alpha):g} %",
            abstention.conformal.patients,
        )
        sentences.append(
            f"The model calls itself sure of an answer only where this is the only one that an "
            f"image may have, by limits that let {share} of the images of each class keep "
            f"theirs. The limits are from validation, at least "
            f"{fewest[np.isfinite(abstention.conformal.limits)].min():,} patients a class."
        )
    detector = abstention.out_of_distribution
    if isinstance(detector, OutOfDistributionDetector):
        sentences.append(
            f"An image is called unlike the training images when it lies farther from what is "
            f"usual than all but {100 * detector.false_alarms:g} % of the validation images "
            f"({detector.n_images:,}). An answer about such an image is never called sure."
        )
    return [*sentences, *(f"{gap[0].upper()}{gap[1:]}." for gap in _gaps(rules, abstention))]


def _far(rules: DecisionRules, distance: float) -> str:
    population = shorten(rules.config.population, MAX_POPULATION)
    return (
        f"unlike the training images (distance {distance:.1f} times their limit); the answer then "
        f"means nothing; they were: {population}"
    )


def _gaps(rules: DecisionRules, abstention: AbstentionRules) -> list[str]:
    """What could not be judged of any image."""
    gaps = [
        f"{what} was not judged: {rule.reason}"
        for what, rule in (
            ("whether it is unlike the training images", abstention.out_of_distribution),
            ("whether to be confident", abstention.conformal),
        )
        if isinstance(rule, NotFitted)
    ]
    if isinstance(abstention.conformal, ConformalRule) and not _known(abstention.conformal).all():
        some = zip(rules.vocab, _known(abstention.conformal), strict=True)
        names = _named([name for name, known in some if not known], "and")
        gaps.append(f"not judged for want of validation patients: {names}")
    return gaps


def _known(rule: ConformalRule) -> npt.NDArray[np.bool_]:
    """(k,) whether there are limits for a class or label."""
    known: npt.NDArray[np.bool_] = np.isfinite(rule.limits).reshape(len(rule.limits), -1)
    return np.logical_and.reduce(known, axis=1)


def _unsure(
    rules: DecisionRules,
    rule: ConformalRule | NotFitted,
    logits: Floats,
    calibrated: Sequence[Sequence[float]],
) -> list[str]:
    """For each image why the model should abstain, or nothing."""
    if isinstance(rule, NotFitted):
        return [""] * len(logits)
    may_be = rule.sets(logits)
    if rules.config.multi_label:
        # Sure of a label: only what was decided is usual.
        there = np.asarray(calibrated) >= 0.5
        sure = (may_be == np.stack([~there, there], axis=2)).all(axis=2) | ~_known(rule)
        unsure = [[n for n, s in zip(rules.vocab, one, strict=True) if not s] for one in sure]
        return [f"not clear enough: {_named(names, 'and')}" if names else "" for names in unsure]
    pairs = zip(may_be, calibrated, strict=True)
    return [_unsure_class(rules, one, rule.alpha, chances) for one, chances in pairs]


def _unsure_class(
    rules: DecisionRules, may_be: npt.NDArray[np.bool_], alpha: float, chances: Sequence[float]
) -> str:
    names = [name for name, usual in zip(rules.vocab, may_be, strict=True) if usual]
    decision = rules.decision(chances)
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
