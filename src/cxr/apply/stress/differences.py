"""How far figures differ between the plain images and changed ones, in the same patients.

Both sides of a difference are resampled together, so that the interval is of the difference
itself and not of two separate figures (the paired bootstrap; Efron and Tibshirani, 1993).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._stats.bootstrap import patient_weights
from ...evaluate import Predictions
from ...evaluate.intervals import bootstrapped
from ...evaluate.metrics import ACCURACY, AUROC, SENSITIVITY, SPECIFICITY, Metric
from ...evaluate.predictions import Threshold
from ...evaluate.questions import Question, questions_of
from ...evaluate.schema import Figure, undefined

Floats = NDArray[np.float64]

FIGURES: tuple[Metric, ...] = (ACCURACY, AUROC, SENSITIVITY, SPECIFICITY)
LEVEL, RESAMPLES = 0.95, 1000


Asked = list[tuple[Question, tuple[Metric, ...]]]
"""Questions, each with the figures that its answers define."""


@dataclass(frozen=True, eq=False)
class PairedFigures:
    """Figures of the plain images and of each change, at the point and resampled.

    `values` (1 + changes, figures), NaN where undefined, and `resampled`
    (resamples, 1 + changes, figures); `decisions_changed` is for each change the share of images
    that are decided otherwise.
    """

    values: Floats
    resampled: Floats
    decisions_changed: list[Figure]

    def figures(self, change: int) -> dict[str, Any]:
        values = self.values[1 + change]
        return {
            metric.name: undefined(metric.undefined) if np.isnan(value) else {"value": float(value)}
            for metric, value in zip(FIGURES, values, strict=True)
        }

    def differences(self, changes: Sequence[int]) -> dict[str, Any]:
        """Changed less plain, of one change or the mean of several; below 0 is a loss."""
        rows = 1 + np.asarray(changes)
        values = self.values[rows].mean(axis=0) - self.values[0]
        resampled = self.resampled[:, rows].mean(axis=1) - self.resampled[:, 0]
        return {
            metric.name: undefined(metric.undefined)
            if np.isnan(values[i])
            else bootstrapped(float(values[i]), resampled[:, i], LEVEL)
            for i, metric in enumerate(FIGURES)
        }


def measure_differences(
    plain: Predictions,
    changed: Sequence[Predictions],
    threshold: Threshold,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> PairedFigures:
    """`plain` and each of `changed` are predictions of the same images in the same order.

    Two classes: the figures of the positive one at `threshold`. More classes: accuracy of all at
    once, the others as the unweighted mean over the classes, each against the rest. Several
    labels an image: means over the labels, of the images where each is known.
    """
    sides = [_asked(some, threshold) for some in (plain, *changed)]
    otherwise = np.stack([_decided_otherwise(plain, some, threshold) for some in changed], axis=1)
    groups = plain.patient_groups
    resampled = [_values(sides, weights) for weights in patient_weights(groups, resamples, seed)]
    return PairedFigures(
        _values(sides, np.ones((1, len(plain))))[0],
        np.concatenate(resampled),
        shares_of_images(otherwise, groups, resamples=resamples, seed=seed),
    )


def shares_of_images(
    flags: NDArray[np.bool_],
    groups: NDArray[np.int64],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> list[Figure]:
    """For each column of `flags` (n, m) the share of images that have it, with its interval by a
    bootstrap of patients; `groups` (n,) numbers them from 0 without gaps."""
    resampled = np.concatenate(
        [
            weights @ flags / weights.sum(axis=1, keepdims=True)
            for weights in patient_weights(groups, resamples, seed)
        ]
    )
    return [
        bootstrapped(float(flag.mean()), values, LEVEL)
        for flag, values in zip(flags.T, resampled.T, strict=True)
    ]


def _values(sides: Sequence[Asked], weights: Floats) -> Floats:
    """(r, sides, figures) for weights (r, n)."""
    figures = [[_value(asked, metric, weights) for metric in FIGURES] for asked in sides]
    return np.stack([np.stack(of_side, axis=1) for of_side in figures], axis=1)


def _value(asked: Asked, metric: Metric, weights: Floats) -> Floats:
    """(r,) mean over the questions that have this figure; NaN where none does."""
    values = [
        metric.of(question.sample, weights[:, question.rows])
        for question, metrics in asked
        if metric in metrics
    ]
    return np.mean(values, axis=0) if values else np.full(len(weights), np.nan)


def _asked(predictions: Predictions, threshold: Threshold) -> Asked:
    """Of several classes that exclude each other, accuracy is that of all at once."""
    questions = questions_of(predictions, threshold)
    of_one_class = FIGURES if questions[0].name else FIGURES[1:]
    return [(one, _defined(one, of_one_class if one.name else (ACCURACY,))) for one in questions]


def _defined(question: Question, metrics: Sequence[Metric]) -> tuple[Metric, ...]:
    """Without those that need images with the finding, or without it, where there are none."""
    truth = question.truth
    undefined_figures: set[str] = set()
    if not truth.any():
        undefined_figures |= {"auroc", "sensitivity"}
    if truth.all():
        undefined_figures |= {"auroc", "specificity"}
    if not len(truth):
        undefined_figures.add("accuracy")
    return tuple(metric for metric in metrics if metric.name not in undefined_figures)


def _decided_otherwise(
    plain: Predictions, changed: Predictions, threshold: Threshold
) -> NDArray[np.bool_]:
    """(n,) whether any decision on the image differs."""
    differs = plain.decide(threshold) != changed.decide(threshold)
    return differs.any(axis=1) if differs.ndim == 2 else differs
