"""The task of a model: one of several classes, one finding, or several labels at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..errors import UsageError

Kind = Literal["binary", "multi_class", "multi_label"]

LABEL_THRESHOLD = 0.5
"""A label is present from this probability on, unless it has an operating threshold of its own."""


@dataclass(frozen=True)
class Task:
    """The question that a model answers, and where its decision turns.

    `positive` is the class of interest, if there is one. `threshold` is its operating threshold:
    the probability from which on a binary model decides for it. `thresholds` (k,) are those of
    several labels; None: LABEL_THRESHOLD for each.
    """

    classes: tuple[str, ...]
    multi_label: bool = False
    positive: str | None = None
    threshold: float = 0.5
    thresholds: tuple[float, ...] | None = None

    @property
    def kind(self) -> Kind:
        """`binary`: two classes that exclude each other, one of which is `positive`."""
        if self.multi_label:
            return "multi_label"
        two = len(self.classes) == 2 and self.positive is not None
        return "binary" if two else "multi_class"

    @property
    def binary(self) -> bool:
        return self.kind == "binary"

    @property
    def positive_index(self) -> int | None:
        """Of `positive` in `classes`, whatever the kind; None without one."""
        return None if self.positive is None else self.classes.index(self.positive)

    @property
    def operating_thresholds(self) -> dict[str, float]:
        """Class -> the probability from which on it is decided; empty where the most probable of
        several classes is taken."""
        if self.multi_label:
            each = self.thresholds or (LABEL_THRESHOLD,) * len(self.classes)
            return dict(zip(self.classes, each, strict=True))
        return {self.positive: self.threshold} if self.binary and self.positive else {}

    def class_of_interest(self, probabilities: Sequence[float]) -> int:
        """The index to speak of: that of the positive class, or else of the likeliest of (k,)."""
        index = self.positive_index
        return int(np.argmax(probabilities)) if index is None else index

    def decide(self, probabilities: Sequence[float]) -> str:
        """The answer at the operating threshold, from calibrated probabilities (k,).

        Binary: the positive class from its threshold on. Several labels: those from theirs on,
        joined by "; ". Else the most probable class.
        """
        return "; ".join(self.classes[index] for index in self.decided(probabilities))

    def decided(self, probabilities: Sequence[float]) -> list[int]:
        """Indices of the classes that `decide` names: one, or with several labels any number."""
        if self.multi_label:
            limits = self.operating_thresholds.values()
            pairs = enumerate(zip(probabilities, limits, strict=True))
            return [index for index, (p, limit) in pairs if p >= limit]
        index = self.positive_index
        if not self.binary or index is None:
            return [int(np.argmax(probabilities))]
        return [index if probabilities[index] >= self.threshold else 1 - index]

    def most_probable(self, probabilities: Sequence[float]) -> str:
        """The class of the highest probability of (k,), whatever the operating threshold; with
        several labels those of 0.5 or more, joined by "; "."""
        if self.multi_label:
            pairs = zip(self.classes, probabilities, strict=True)
            return "; ".join(name for name, p in pairs if p >= LABEL_THRESHOLD)
        return self.classes[int(np.argmax(probabilities))]


def log_odds_shift(trained_prevalence: float, stated_prevalence: float) -> float:
    """What another prevalence than that of training adds to the log-odds of the finding.

    Raises UsageError for a share that is not above 0 and below 1.
    """
    trained, stated = (_log_odds(share) for share in (trained_prevalence, stated_prevalence))
    return stated - trained


def _log_odds(share: float) -> float:
    if not 0 < share < 1:
        raise UsageError(f"prevalence {share}; a share above 0 and below 1 is needed")
    return math.log(share) - math.log1p(-share)
