"""The precision-recall curve, with the prevalence as the level that guessing reaches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..._io.text import figure_text, images_of_patients, shorten
from ...evaluate.metrics import binary
from ...evaluate.predictions import Predictions
from ...evaluate.questions import class_questions
from .style import GREY, colour, unit_square

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_precision_recall(
    figure: Figure, predictions: Predictions, metrics: dict[str, Any]
) -> None:
    """One curve of the positive of two classes, else one a class. Needs images of both kinds."""
    axes = figure.subplots()
    for i, question in enumerate(class_questions(predictions)):
        sample = binary(question.truth, question.scores, question.truth)
        positives, negatives = sample.ranked_counts(np.ones((1, len(question.truth))))
        found, alarms = np.cumsum(positives[0]), np.cumsum(negatives[0])
        recall, precision = found / found[-1], found / (found + alarms)
        auprc = (metrics if predictions.binary else metrics["per_class"][question.name])["auprc"]
        label = f"{shorten(question.name)}: AUPRC {figure_text(auprc)}"
        recall, precision = np.r_[0, recall], np.r_[precision[0], precision]
        axes.step(recall, precision, where="pre", color=colour(i), linewidth=2, label=label)
        if predictions.binary:
            share = float(question.truth.mean())
            label = f"guessing: the prevalence, {share:.2f}"
            axes.axhline(share, color=GREY, linewidth=1, linestyle=":", label=label)
    unit_square(axes)
    axes.set(
        xlabel="Recall (sensitivity)",
        ylabel="Precision (positive predictive value)",
        title=images_of_patients(metrics),
    )
    axes.legend(loc="lower left")
