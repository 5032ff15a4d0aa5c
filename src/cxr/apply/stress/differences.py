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
from ...evaluate.metrics import ACCURACY, AUROC, SENSITIVITY, SPECIFICITY, Metric, Sample, binary
from ...evaluate.schema import Figure, undefined

Floats = NDArray[np.float64]

FIGURES: tuple[Metric, ...] = (ACCURACY, AUROC, SENSITIVITY, SPECIFICITY)
LEVEL, RESAMPLES = 0.95, 1000


@dataclass(frozen=True, eq=False)
class FigureSample:
    """Some figures of some images (rows): of all classes at once, or of one against the rest."""

    metrics: tuple[Metric, ...]
    rows: NDArray[np.int64]
    sample: Sample


@dataclass(frozen=True, eq=False)
class PairedFigures:
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

    def decisions_changed(self, change: int) -> Figure:
        value = float(self.changed[change])
        return bootstrapped(value, self.changed_resampled[:, change], LEVEL)


def measure_differences(
    plain: Predictions,
    changed: Sequence[Predictions],
    threshold: float,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> PairedFigures:
    """`plain` and each of `changed` are predictions of the same images in the same order.

    Two classes: the figures of the positive one at `threshold`. More classes: accuracy of all at
    once, the others as the unweighted mean over the classes, each against the rest. Several
    labels an image: means over the labels, of the images where each is known.
    """
    sides = [_samples(some, threshold) for some in (plain, *changed)]
    otherwise = np.stack([_decided_otherwise(plain, some, threshold) for some in changed], axis=1)
    resampled, changed_resampled = [], []
    for weights in patient_weights(plain.patient_groups, resamples, seed):
        resampled.append(_values(sides, weights))
        changed_resampled.append(weights @ otherwise / weights.sum(axis=1, keepdims=True))
    return PairedFigures(
        _values(sides, np.ones((1, len(plain))))[0],
        np.concatenate(resampled),
        otherwise.mean(axis=0),
        np.concatenate(changed_resampled),
    )


def _values(sides: Sequence[Sequence[FigureSample]], weights: Floats) -> Floats:
    """(r, sides, figures) for weights (r, n)."""
    return np.stack(
        [np.stack([_value(samples, m, weights) for m in FIGURES], axis=1) for samples in sides],
        axis=1,
    )


def _value(samples: Sequence[FigureSample], metric: Metric, weights: Floats) -> Floats:
    """(r,) mean over the samples that have this figure; NaN where none does."""
    values = [
        metric.of(one.sample, weights[:, one.rows]) for one in samples if metric in one.metrics
    ]
    return np.mean(values, axis=0) if values else np.full(len(weights), np.nan)


def _samples(predictions: Predictions, threshold: float) -> list[FigureSample]:
    decided, targets = predictions.decide(threshold), predictions.targets
    chances, every = predictions.probabilities, np.arange(len(predictions))
    if predictions.multi_label:
        known = [np.flatnonzero(~np.isnan(column)) for column in targets.T]
        return [
            _one_versus_rest(
                FIGURES, rows, targets[rows, i] == 1, chances[rows, i], decided[rows, i]
            )
            for i, rows in enumerate(known)
        ]
    if predictions.binary:
        i = predictions.positive_index
        return [_one_versus_rest(FIGURES, every, targets == i, chances[:, i], decided == i)]
    return [
        FigureSample((ACCURACY,), every, Sample(targets, decided, chances)),
        *(
            _one_versus_rest(FIGURES[1:], every, targets == i, chances[:, i], decided == i)
            for i in range(len(predictions.classes))
        ),
    ]


def _one_versus_rest(
    metrics: tuple[Metric, ...],
    rows: NDArray[np.int64],
    truth: NDArray[np.bool_],
    scores: Floats,
    positive: NDArray[np.bool_],
) -> FigureSample:
    """One class against the rest, with those of the figures that its truth defines."""
    undefined_figures: set[str] = set()
    if not truth.any():
        undefined_figures |= {"auroc", "sensitivity"}
    if truth.all():
        undefined_figures |= {"auroc", "specificity"}
    if not len(truth):
        undefined_figures.add("accuracy")
    defined = tuple(metric for metric in metrics if metric.name not in undefined_figures)
    return FigureSample(defined, rows, binary(truth, scores, positive))


def _decided_otherwise(
    plain: Predictions, changed: Predictions, threshold: float
) -> NDArray[np.bool_]:
    """(n,) whether any decision on the image differs."""
    differs = plain.decide(threshold) != changed.decide(threshold)
    return differs.any(axis=1) if differs.ndim == 2 else differs
