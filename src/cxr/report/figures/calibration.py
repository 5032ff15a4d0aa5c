"""Reliability before and after calibration, side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..._io.text import figure_text, images_of_patients, shorten
from ...evaluate.predictions import Predictions
from ...evaluate.questions import stated_probability
from .reliability import FREQUENCY, draw_counts, draw_points
from .style import BLUE, ORANGE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

AFTER = {
    "none": "Left as it is",
    "temperature": "After temperature scaling",
    "vector": "After vector scaling",
}


def draw_calibration(figure: Figure, predictions: Predictions, metrics: dict[str, Any]) -> None:
    """Both diagrams of `metrics["calibration"]`, which `calibration_facts` makes.

    "After" is judged on patients that the calibration has not seen; bars are exact 95% intervals
    of images, not patients.
    """
    facts = metrics["calibration"]
    upper, lower = figure.subplots(2, 2, sharex=True, sharey="row", height_ratios=(3, 1))
    after = AFTER[facts["kind"]] + (", cross-fitted" if facts["crossfitted"] else "")
    sides = (("before", "As trained", ORANGE), ("after", after, BLUE))
    for i, (side, title, colour) in enumerate(sides):
        bins = facts[f"bins_{side}"]
        ece = figure_text(facts[side]["ece"])
        draw_points(upper[i], bins, colour)
        upper[i].set_title(f"{title}\nECE {ece}", fontsize=10)
        draw_counts(lower[i], bins, fontsize=6)
    lower[0].set_xticks([0, 0.5, 1])
    upper[0].set_ylabel(FREQUENCY)
    lower[0].set_ylabel("Labels" if predictions.multi_label else "Images")
    name = shorten(stated_probability(predictions).name)
    figure.supxlabel(f"Stated probability of {name}", fontsize=11)
    figure.suptitle(images_of_patients(metrics), fontsize=11)
