"""The score histogram: how far the model keeps the two kinds of image apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..._io.text import images_of_patients, shorten
from ...evaluate.predictions import Predictions
from ...evaluate.questions import stated_probability
from .style import BLUE, ORANGE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

EDGES = np.linspace(0, 1, 41)


def draw_scores(figure: Figure, predictions: Predictions, metrics: dict[str, Any]) -> None:
    """Two panels over one axis, so that neither kind hides the other."""
    question = stated_probability(predictions)
    panels = figure.subplots(2, 1, sharex=True)
    kinds = (question.truth, ~question.truth)
    for axes, mask, name, colour in zip(
        panels, kinds, _names(predictions), (ORANGE, BLUE), strict=True
    ):
        axes.hist(question.scores[mask], bins=EDGES, color=colour)
        axes.set_title(f"{name}, n = {np.count_nonzero(mask):,}", color=colour)
        axes.grid(True, axis="y")
        axes.locator_params(axis="y", integer=True, nbins=5)
        axes.set_ylabel("Labels" if predictions.multi_label else "Images")
        if isinstance(metrics["threshold"], float):
            axes.axvline(metrics["threshold"], color="black", linewidth=1, linestyle="--")
    figure.suptitle(_title(metrics), x=0.01, ha="left", fontsize="medium")
    panels[1].set(xlim=(-0.01, 1.01), xlabel=f"Stated probability of {shorten(question.name)}")


def _names(predictions: Predictions) -> tuple[str, str]:
    if predictions.binary:
        i = predictions.positive_index
        return shorten(predictions.classes[i]), shorten(predictions.classes[1 - i])
    return ("present", "absent") if predictions.multi_label else ("right", "wrong")


def _title(metrics: dict[str, Any]) -> str:
    threshold = metrics["threshold"]
    line = f"; dashed: threshold {threshold:.3g}" if isinstance(threshold, float) else ""
    return images_of_patients(metrics) + line
