"""The reliability diagram: what was said against what was so, and how often it was said."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..._io.text import figure_text, images_of_patients, shorten
from ...evaluate.calibration import reliability_bins
from ...evaluate.metrics.ece import BINS
from ...evaluate.predictions import Predictions
from ...evaluate.questions import stated_probability
from .style import BLUE, GREY

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FREQUENCY = "Observed frequency, 95% interval"
Bins = Sequence[dict[str, float]]  # as `reliability_bins` gives them


def draw_reliability(figure: Figure, predictions: Predictions, metrics: dict[str, Any]) -> None:
    """Ten bins of the stated probability; bars are exact 95% intervals of images, not patients."""
    question = stated_probability(predictions)
    bins = reliability_bins(question.scores, question.truth)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    draw_points(upper, bins)
    upper.set(ylabel=FREQUENCY, title=images_of_patients(metrics))
    upper.set_title(f"ECE {figure_text(metrics['ece'])}", loc="right")
    draw_counts(lower, bins)
    lower.set_xlabel(f"Stated probability of {shorten(question.name)}")
    lower.set_ylabel("Labels" if predictions.multi_label else "Images")


def draw_points(axes: Axes, bins: Bins, colour: str = BLUE) -> None:
    """Frequencies with their intervals, not joined: few images make many a bin jump about."""
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle=":")
    axes.text(
        0.5, 0.49, "perfect", color=GREY, fontsize=9, rotation=45, rotation_mode="anchor",
        transform_rotates_text=True, ha="center", va="top",
    )  # fmt: skip
    seen = [one["seen"] for one in bins]
    reach = [
        [max(one["seen"] - one["low"], 0.0) for one in bins],
        [max(one["high"] - one["seen"], 0.0) for one in bins],
    ]
    axes.errorbar(
        [one["stated"] for one in bins], seen, yerr=reach, fmt="o", color=colour, ecolor=colour,
        elinewidth=1, capsize=3, markersize=6, clip_on=False,
    )  # fmt: skip
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.02, 1.02))
    axes.grid(True)


def draw_counts(axes: Axes, bins: Bins, fontsize: float = 8) -> None:
    """How often each of the ten was stated."""
    counts = np.zeros(BINS, np.int64)
    for one in bins:
        counts[min(int(one["stated"] * BINS), BINS - 1)] = one["n"]
    centres = (np.arange(BINS) + 0.5) / BINS
    bars = axes.bar(centres, counts, width=0.9 / BINS, color="#b8cfe0")
    axes.bar_label(bars, labels=[f"{n:,}" for n in counts], fontsize=fontsize, padding=1)
    axes.set_ylim(0, counts.max() * 1.3)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
