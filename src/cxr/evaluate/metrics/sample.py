"""What a metric looks at, and the weights by which a bootstrap resamples it.

A metric takes a sample of n images and weights (r, n), one row a resample, and gives (r,) values,
NaN where the figure is undefined. An image drawn twice weighs 2; all ones is the sample itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..._stats.auroc import by_falling_score
from ..predictions import cross_entropy

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Sample:
    """n images, each of one of k classes.

    `actual` and `decided` (n,) int64 class indices, `probabilities` (n, k).
    """

    actual: NDArray[np.int64]
    decided: NDArray[np.int64]
    probabilities: Floats

    @property
    def classes(self) -> int:
        return self.probabilities.shape[1]

    @cached_property
    def correct(self) -> Mask:
        return self.actual == self.decided

    @cached_property
    def log_losses(self) -> Floats:
        return cross_entropy(self.probabilities, self.actual)

    @cached_property
    def squared_errors(self) -> Floats:
        """(n,) summed over the classes, as Brier did."""
        truth = np.eye(self.classes)[self.actual]
        return ((self.probabilities - truth) ** 2).sum(axis=1)

    @property
    def confidence(self) -> Floats:
        """The probability whose calibration is measured: of the class decided for."""
        return self.probabilities[np.arange(len(self.decided)), self.decided]

    @property
    def outcome(self) -> Mask:
        """What `confidence` is the probability of."""
        return self.correct

    def confusion(self, weights: Floats) -> Floats:
        """(r, k, k): weight of images by actual (row) and decided (column) class."""
        cells = np.eye(self.classes**2)[self.actual * self.classes + self.decided]
        return (weights @ cells).reshape(len(weights), self.classes, self.classes)


@dataclass(frozen=True, eq=False)
class BinarySample(Sample):
    """n images with (1) or without (0) one finding. Made by `binary`."""

    @property
    def truth(self) -> Mask:
        return self.actual == 1

    @property
    def positive(self) -> Mask:
        """Decided to have the finding."""
        return self.decided == 1

    @property
    def scores(self) -> Floats:
        return self.probabilities[:, 1]

    @cached_property
    def squared_errors(self) -> Floats:
        return (self.scores - self.actual) ** 2

    @property
    def confidence(self) -> Floats:
        return self.scores

    @property
    def outcome(self) -> Mask:
        return self.truth

    @cached_property
    def by_class(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Image indices of those with the finding and of those without, by falling score."""
        return by_falling_score(self.scores, self.truth)

    @cached_property
    def ranking(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Image indices by falling score, and where in that order each new score begins."""
        order = np.argsort(-self.scores, kind="stable")
        ranked = self.scores[order]
        starts = np.flatnonzero(np.r_[True, ranked[1:] != ranked[:-1]])
        return order, starts

    def ranked_counts(self, weights: Floats) -> tuple[Floats, Floats]:
        """(r, u) weights of positive and of negative images at each distinct score, falling."""
        order, starts = self.ranking
        ranked = weights[:, order]
        truth = self.truth[order]
        positives = np.add.reduceat(ranked * truth, starts, axis=1)
        return positives, np.add.reduceat(ranked, starts, axis=1) - positives


def binary(truth: Mask, scores: Floats, positive: Mask) -> BinarySample:
    """From (n,) truth, probability of the finding, and decision."""
    return BinarySample(
        truth.astype(np.int64), positive.astype(np.int64), np.stack([1 - scores, scores], axis=1)
    )
