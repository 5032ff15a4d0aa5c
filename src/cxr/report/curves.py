"""The points that the figures are drawn of, in JSON types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._stats.bootstrap import patient_weights
from ..evaluate.calibration import reliability_bins
from ..evaluate.metrics import BinarySample, binary
from ..evaluate.predictions import Predictions
from ..evaluate.questions import Question, class_questions, stated_probability

POINTS = 300  # a curve needs no more to look smooth
DIGITS = 4
EDGES = np.linspace(0, 1, 41)
BAND_RESAMPLES = 500
GRID = np.linspace(0, 1, 201)


def curves_of(predictions: Predictions, metrics: Mapping[str, Any]) -> dict[str, Any]:
    """`roc`, `precision_recall` (a curve a class; none where all images are of one class),
    `reliability` (bins) and `scores` (histograms of the two kinds of image)."""
    questions, stated = class_questions(predictions), stated_probability(predictions)
    return {
        "roc": [_roc(one, predictions, metrics) for one in questions],
        "precision_recall": [_precision_recall(one) for one in questions],
        "reliability": {"name": stated.name, "bins": reliability_bins(stated.scores, stated.truth)},
        "scores": _scores(predictions, stated),
    }


def roc_points(
    sample: BinarySample, weights: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """False and true positive rates at each distinct score, (r, u + 1) each, from (0, 0)."""
    positives, negatives = sample.ranked_counts(weights)
    rates = [np.cumsum(part, axis=1) for part in (negatives, positives)]
    x, y = (np.pad(part / np.maximum(part[:, -1:], 1), ((0, 0), (1, 0))) for part in rates)
    return x, y


def roc_band(
    question: Question, groups: NDArray[np.int64], seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sensitivity at each false positive rate of `GRID`: ends of 95% of the patient resamples."""
    sample = binary(question.truth, question.scores, question.truth)
    curves = []
    for weights in patient_weights(groups, BAND_RESAMPLES, seed):
        xs, ys = roc_points(sample, weights)
        curves += [np.interp(GRID, x, y) for x, y in zip(xs, ys, strict=True)]
    low, high = np.quantile(curves, [0.025, 0.975], axis=0)
    return low, high


def _roc(
    question: Question, predictions: Predictions, metrics: Mapping[str, Any]
) -> dict[str, Any]:
    sample = binary(question.truth, question.scores, question.truth)
    x, y = (one[0] for one in roc_points(sample, np.ones((1, len(question.truth)))))
    rows = _spread(x + y)  # steps of equal length along the curve
    curve: dict[str, Any] = {"name": question.name, "x": _plain(x[rows]), "y": _plain(y[rows])}
    if predictions.binary and "low" in metrics["auroc"]:
        groups = predictions.patient_groups[question.rows]
        low, high = roc_band(question, groups, metrics["intervals"]["seed"])
        curve["band"] = {"x": _plain(GRID), "low": _plain(low), "high": _plain(high)}
    return curve


def _precision_recall(question: Question) -> dict[str, Any]:
    sample = binary(question.truth, question.scores, question.truth)
    positives, negatives = sample.ranked_counts(np.ones((1, len(question.truth))))
    hits, alarms = np.cumsum(positives[0]), np.cumsum(negatives[0])
    recall, precision = hits / hits[-1], hits / (hits + alarms)
    rows = _spread(recall + alarms / max(alarms[-1], 1))
    return {
        "name": question.name,
        "prevalence": float(question.truth.mean()),
        "recall": _plain(recall[rows]),
        "precision": _plain(precision[rows]),
    }


def _scores(predictions: Predictions, question: Question) -> dict[str, Any]:
    kinds = {"with": question.truth, "without": ~question.truth}
    counts = {
        kind: np.histogram(question.scores[mask], EDGES)[0].tolist() for kind, mask in kinds.items()
    }
    return {"name": question.name, "edges": _plain(EDGES), **counts, "names": _names(predictions)}


def _names(predictions: Predictions) -> list[str]:
    """What the two histograms are of."""
    if predictions.binary:
        i = predictions.positive_index
        return [predictions.classes[i], predictions.classes[1 - i]]
    return ["present", "absent"] if predictions.multi_label else ["right", "wrong"]


def _spread(along: NDArray[np.float64]) -> NDArray[np.int64]:
    """Rows at about `POINTS` even steps of a value that only grows, both ends among them."""
    wanted = np.linspace(along[0], along[-1], POINTS)
    return np.unique(np.r_[0, np.searchsorted(along, wanted).clip(max=len(along) - 1)])


def _plain(values: NDArray[np.float64]) -> list[float]:
    return [round(float(value), DIGITS) for value in values]
