"""How far figures move from the plain images to changed ones, in the same patients.

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
from ...evaluate.intervals import bootstrapped, undefined
from ...evaluate.metrics import Metric, Sample, binary
from ...evaluate.metrics.accuracy import ACCURACY
from ...evaluate.metrics.auroc import AUROC
from ...evaluate.metrics.sensitivity import SENSITIVITY
from ...evaluate.metrics.specificity import SPECIFICITY

Floats = NDArray[np.float64]

FIGURES: tuple[Metric, ...] = (ACCURACY, AUROC, SENSITIVITY, SPECIFICITY)
LEVEL, RESAMPLES = 0.95, 1000


@dataclass(frozen=True, eq=False)
class Part:
    """Some figures of some images (rows): of all classes at once, or of one against the rest."""

    metrics: tuple[Metric, ...]
    rows: NDArray[np.int64]
    sample: Sample


@dataclass(frozen=True, eq=False)
class Moves:
    """Figures of the plain images and of each change, at the point and resampled.

    `values` (1 + changes, figures), NaN where undefined, and `resampled`
    (resamples, 1 + changes, figures); `changed` (changes,) is the share of images that are
    decided otherwise, and `changed_resampled` (resamples, changes).
    """

    values: Floats
    resampled: Floats
    changed: Floats
    changed_resampled: Floats

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

    def decisions_changed(self, change: int) -> dict[str, Any]:
        value = float(self.changed[change])
        return bootstrapped(value, self.changed_resampled[:, change], LEVEL)


def measure_moves(
    plain: Predictions,
    changed: Sequence[Predictions],
    threshold: float,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Moves:
    """`plain` and each of `changed` are predictions of the same images in the same order.

    Two classes: the figures of the positive one at `threshold`. More classes: accuracy of all at
    once, the others as the unweighted mean over the classes, each against the rest. Several
    labels an image: means over the labels, of the images where each is known.
    """
    sides = [_parts(some, threshold) for some in (plain, *changed)]
    moved = np.stack([_decided_otherwise(plain, some, threshold) for some in changed], axis=1)
    resampled, changed_resampled = [], []
    for weights in patient_weights(plain.patient_groups, resamples, seed):
        resampled.append(_values(sides, weights))
        changed_resampled.append(weights @ moved / weights.sum(axis=1, keepdims=True))
    return Moves(
        _values(sides, np.ones((1, len(plain))))[0],
        np.concatenate(resampled),
        moved.mean(axis=0),
        np.concatenate(changed_resampled),
    )


def _values(sides: Sequence[Sequence[Part]], weights: Floats) -> Floats:
    """(r, sides, figures) for weights (r, n)."""
    return np.stack(
        [np.stack([_value(parts, m, weights) for m in FIGURES], axis=1) for parts in sides], axis=1
    )


def _value(parts: Sequence[Part], metric: Metric, weights: Floats) -> Floats:
    """(r,) mean over the parts that know this figure; NaN where none does."""
    values = [
        metric.of(part.sample, weights[:, part.rows]) for part in parts if metric in part.metrics
    ]
    return np.mean(values, axis=0) if values else np.full(len(weights), np.nan)


def _parts(predictions: Predictions, threshold: float) -> list[Part]:
    decided, targets = predictions.decide(threshold), predictions.targets
    chances, every = predictions.probabilities, np.arange(len(predictions))
    if predictions.multi_label:
        known = [np.flatnonzero(~np.isnan(column)) for column in targets.T]
        return [
            _part(FIGURES, rows, targets[rows, i] == 1, chances[rows, i], decided[rows, i])
            for i, rows in enumerate(known)
        ]
    if predictions.binary:
        i = predictions.positive_index
        return [_part(FIGURES, every, targets == i, chances[:, i], decided == i)]
    return [
        Part((ACCURACY,), every, Sample(targets, decided, chances)),
        *(
            _part(FIGURES[1:], every, targets == i, chances[:, i], decided == i)
            for i in range(len(predictions.classes))
        ),
    ]


def _part(
    metrics: tuple[Metric, ...],
    rows: NDArray[np.int64],
    truth: NDArray[np.bool_],
    scores: Floats,
    positive: NDArray[np.bool_],
) -> Part:
    """One class against the rest, with those of the figures that its truth defines."""
    lacking: set[str] = set()
    if not truth.any():
        lacking |= {"auroc", "sensitivity"}
    if truth.all():
        lacking |= {"auroc", "specificity"}
    if not len(truth):
        lacking.add("accuracy")
    kept = tuple(metric for metric in metrics if metric.name not in lacking)
    return Part(kept, rows, binary(truth, scores, positive))


def _decided_otherwise(
    plain: Predictions, changed: Predictions, threshold: float
) -> NDArray[np.bool_]:
    """(n,) whether any decision on the image differs."""
    differs = plain.decide(threshold) != changed.decide(threshold)
    return differs.any(axis=1) if differs.ndim == 2 else differs
