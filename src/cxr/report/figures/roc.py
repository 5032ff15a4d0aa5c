"""The ROC curve, with the patient bootstrap's band where there is one curve."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..._io.text import figure_text, images_of_patients, shorten
from ..._stats.bootstrap import patient_weights
from ...evaluate.metrics import Binary, binary
from ...evaluate.predictions import Predictions
from ...evaluate.questions import Question, class_questions
from .style import BLUE, GREY, colour, unit_square

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BAND_RESAMPLES = 500
GRID = np.linspace(0, 1, 201)


def draw_roc(figure: Figure, predictions: Predictions, metrics: dict[str, Any]) -> None:
    """One curve of the positive of two classes, else one a class. Needs images of both kinds."""
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle=":")
    for i, question in enumerate(class_questions(predictions)):
        sample = binary(question.truth, question.scores, question.truth)
        x, y = roc_points(sample, np.ones((1, len(question.truth))))
        auroc = (metrics if predictions.binary else metrics["per_class"][question.name])["auroc"]
        label = f"{shorten(question.name)}: AUROC {figure_text(auroc)}"
        axes.plot(x[0], y[0], color=colour(i), linewidth=2, label=label)
        if "low" in auroc and predictions.binary:
            _band(axes, question, predictions, metrics)
        if predictions.binary:
            _operating_point(axes, metrics)
    unit_square(axes)
    axes.set(xlabel="1 − specificity", ylabel="Sensitivity", title=images_of_patients(metrics))
    axes.legend(loc="lower right")


def roc_points(
    sample: Binary, weights: NDArray[np.float64]
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


def _band(
    axes: Axes, question: Question, predictions: Predictions, metrics: dict[str, Any]
) -> None:
    low, high = roc_band(question, predictions.patient_groups, metrics["intervals"]["seed"])
    axes.fill_between(GRID, low, high, color=BLUE, alpha=0.18, linewidth=0, label="95% interval")


def _operating_point(axes: Axes, metrics: dict[str, Any]) -> None:
    sensitivity, specificity = metrics["sensitivity"]["value"], metrics["specificity"]["value"]
    label = (
        f"threshold {metrics['threshold']:.3g}: "
        f"sensitivity {sensitivity:.2f}, specificity {specificity:.2f}"
    )
    axes.plot(
        1 - specificity, sensitivity, "o", color="white", markeredgecolor="black",
        markeredgewidth=1.5, markersize=7, label=label, clip_on=False, zorder=3,
    )  # fmt: skip
