"""Whether an answer is to be trusted: each image's `Verdict`, by the rules of the model file."""

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
from .rules import Judge

NO_RULES = (
    "not judged: the model file holds no rules for it; train the model again with this version"
)
MAX_POPULATION = 160  # characters of it in a reason
MAX_NAMED = 3  # classes
Floats = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Verdict:
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


FIELDS = tuple(field.name for field in fields(Verdict))


def verdicts(
    judge: Judge,
    logits: Floats,
    distances: Floats | None,
    calibrated: Sequence[Sequence[float]],
) -> list[Verdict]:
    """Of n images: from their logits (n, k), `Judge.distances` (n,) and calibrated probabilities
    (n, k)."""
    abstention = judge.abstention
    if abstention is None:
        return [Verdict(one[judge.asked(one)], None, None, NO_RULES) for one in calibrated]
    unsure = _unsure(judge, abstention.conformal, logits, calibrated)
    far = [None] * len(unsure) if distances is None else distances.tolist()
    gaps = _gaps(judge, abstention)
    judged = isinstance(abstention.conformal, ConformalRule)
    found = []
    for chances, distance, doubt in zip(calibrated, far, unsure, strict=True):
        unlike = None if distance is None else distance > 1
        doubts = [_far(judge, distance)] if unlike else []
        doubts += [doubt] if doubt else []
        confident = not doubts if judged or doubts else None
        reason = "; ".join([*doubts, *gaps])
        found.append(Verdict(chances[judge.asked(chances)], confident, unlike, reason))
    return found


def as_columns(verdict: Verdict | None) -> dict[str, Any]:
    """The fields of one image; all None for one that could not be read."""
    return dict.fromkeys(FIELDS) if verdict is None else asdict(verdict)


def rules_in_words(judge: Judge) -> list[str]:
    """What the model file holds to judge answers by, a sentence or two for each rule."""
    abstention = judge.abstention
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
    return [*sentences, *(f"{gap[0].upper()}{gap[1:]}." for gap in _gaps(judge, abstention))]


def _far(judge: Judge, distance: float) -> str:
    population = shorten(judge.config.population, MAX_POPULATION)
    return (
        f"unlike the training images (distance {distance:.1f} times their limit); the answer then "
        f"means nothing; they were: {population}"
    )


def _gaps(judge: Judge, abstention: AbstentionRules) -> list[str]:
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
        some = zip(judge.vocab, _known(abstention.conformal), strict=True)
        names = _named([name for name, known in some if not known], "and")
        gaps.append(f"not judged for want of validation patients: {names}")
    return gaps


def _known(rule: ConformalRule) -> npt.NDArray[np.bool_]:
    """(k,) whether there are limits for a class or label."""
    known: npt.NDArray[np.bool_] = np.isfinite(rule.limits).reshape(len(rule.limits), -1)
    return np.logical_and.reduce(known, axis=1)


def _unsure(
    judge: Judge,
    rule: ConformalRule | NotFitted,
    logits: Floats,
    calibrated: Sequence[Sequence[float]],
) -> list[str]:
    """For each image why the model should abstain, or nothing."""
    if isinstance(rule, NotFitted):
        return [""] * len(logits)
    may_be = rule.sets(logits)
    if judge.config.multi_label:
        # Sure of a label: only what was decided is usual.
        there = np.asarray(calibrated) >= 0.5
        sure = (may_be == np.stack([~there, there], axis=2)).all(axis=2) | ~_known(rule)
        unsure = [[n for n, s in zip(judge.vocab, one, strict=True) if not s] for one in sure]
        return [f"not clear enough: {_named(names, 'and')}" if names else "" for names in unsure]
    pairs = zip(may_be, calibrated, strict=True)
    return [_unsure_class(judge, one, rule.alpha, chances) for one, chances in pairs]


def _unsure_class(
    judge: Judge, may_be: npt.NDArray[np.bool_], alpha: float, chances: Sequence[float]
) -> str:
    names = [name for name, usual in zip(judge.vocab, may_be, strict=True) if usual]
    decision = judge.decision(chances)
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
