"""Reliability diagrams: predicted probability and observed frequency, as is and recalibrated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..._io.text import figure_text, images_of_patients, shorten
from ...evaluate.metrics.probability import BINS
from .style import BLUE, GREY, ORANGE, Split

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FREQUENCY = "Observed frequency, 95% interval"
AFTER = {
    "none": "Left as it is",
    "temperature": "After temperature scaling",
    "vector": "After vector scaling",
}
Bins = Sequence[Mapping[str, Any]]  # as `reliability_bins` gives them


def draw_reliability(figure: Figure, split: Split) -> None:
    """Ten bins of the probability; bars are exact 95% intervals of images, not patients."""
    metrics, diagram = split["metrics"], split["curves"]["reliability"]
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    _points(upper, diagram["bins"], BLUE)
    upper.set(ylabel=FREQUENCY, title=images_of_patients(metrics))
    upper.set_title(f"ECE {figure_text(metrics['ece'])}", loc="right")
    _counts(lower, diagram["bins"])
    lower.set_xlabel(f"Predicted probability of {shorten(diagram['name'])}")
    lower.set_ylabel(_unit(metrics))


def draw_calibration(figure: Figure, split: Split) -> None:
    """Both diagrams of `metrics["calibration"]`, which `summarise_calibration` makes.

    "After" is measured on patients that the calibration was not fitted on; bars are exact 95%
    intervals of images, not patients.
    """
    metrics = split["metrics"]
    facts = metrics["calibration"]
    upper, lower = figure.subplots(2, 2, sharex=True, sharey="row", height_ratios=(3, 1))
    after = AFTER[facts["kind"]] + (", cross-fitted" if facts["crossfitted"] else "")
    sides = (("before", "As trained", ORANGE), ("after", after, BLUE))
    for i, (side, title, colour) in enumerate(sides):
        bins = facts[f"bins_{side}"]
        _points(upper[i], bins, colour)
        upper[i].set_title(f"{title}\nECE {figure_text(facts[side]['ece'])}", fontsize=8)
        _counts(lower[i], bins, fontsize=5)
    lower[0].set_xticks([0, 0.5, 1])
    upper[0].set_ylabel(FREQUENCY)
    lower[0].set_ylabel(_unit(metrics))
    name = shorten(split["curves"]["reliability"]["name"])
    figure.supxlabel(f"Predicted probability of {name}", fontsize=8.5)
    figure.suptitle(images_of_patients(metrics), fontsize=8.5)


def _points(axes: Axes, bins: Bins, colour: str) -> None:
    """Frequencies with their intervals, not joined: few images make many a bin jump about."""
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, linestyle=":")
    axes.text(
        0.5, 0.49, "perfect", color=GREY, fontsize=7, rotation=45, rotation_mode="anchor",
        transform_rotates_text=True, ha="center", va="top",
    )  # fmt: skip
    filled = [one for one in bins if one["n"]]
    observed = [one["observed"] for one in filled]
    reach = [
        [max(one["observed"] - one["low"], 0.0) for one in filled],
        [max(one["high"] - one["observed"], 0.0) for one in filled],
    ]
    axes.errorbar(
        [one["stated"] for one in filled], observed, yerr=reach, fmt="o", color=colour,
        ecolor=colour, elinewidth=0.8, capsize=2.5, markersize=4.5, clip_on=False,
    )  # fmt: skip
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.02, 1.02))
    axes.grid(True)


def _counts(axes: Axes, bins: Bins, fontsize: float = 6.5) -> None:
    """How many images have a probability in each of the ten bins."""
    counts = np.zeros(BINS, np.int64)
    for one in bins:
        counts[min(int(one["stated"] * BINS), BINS - 1)] = one["n"]
    centres = (np.arange(BINS) + 0.5) / BINS
    bars = axes.bar(centres, counts, width=0.9 / BINS, color=BLUE, alpha=0.3)
    axes.bar_label(bars, labels=[f"{n:,}" for n in counts], fontsize=fontsize, padding=1)
    axes.set_ylim(0, max(counts.max() * 1.3, axes.get_ylim()[1]))  # the axis may be shared
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)


def _unit(metrics: Mapping[str, Any]) -> str:
    return "Labels" if metrics["multi_label"] else "Images"
