"""The reliability diagram: what was said against what was so, and how often it was said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..intervals import clopper_pearson
from ..metrics.ece import BINS, bin_of
from ..predictions import Predictions
from .questions import stated_probability
from .style import BLUE, GREY, shorten, size_note, with_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def draw_reliability(figure: Figure, predictions: Predictions, metrics: dict[str, Any]) -> None:
    """Ten bins of the stated probability; bars are exact 95% intervals of images, not patients."""
    question = stated_probability(predictions)
    bins = bin_of(question.scores)
    counts = np.bincount(bins, minlength=BINS)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    upper.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle=":", label="perfect")
    _points(upper, question.scores, question.truth, bins)
    upper.set(ylim=(-0.02, 1.02), ylabel="Observed frequency", title=size_note(metrics))
    upper.legend(loc="upper left", title=f"ECE {with_interval(metrics['ece'])}", alignment="left")
    upper.grid(True)
    _bars(lower, counts)
    lower.set(xlabel=f"Stated probability of {shorten(question.name)}", xlim=(-0.01, 1.01))
    lower.set_ylabel("Labels" if predictions.multi_label else "Images")


def _points(
    axes: Axes,
    scores: NDArray[np.float64],
    truth: NDArray[np.bool_],
    bins: NDArray[np.int64],
) -> None:
    stated, observed, low, high = [], [], [], []
    for one in np.unique(bins):
        inside = bins == one
        hits, n = int(truth[inside].sum()), int(inside.sum())
        interval = clopper_pearson(hits, n)
        stated.append(scores[inside].mean())
        observed.append(hits / n)
        low.append(max(observed[-1] - interval[0], 0.0))
        high.append(max(interval[1] - observed[-1], 0.0))
    axes.errorbar(
        stated, observed, yerr=[low, high], fmt="o-", color=BLUE, ecolor=BLUE, elinewidth=1,
        capsize=3, linewidth=1.5, markersize=5, label="this model, 95% interval",
    )  # fmt: skip


def _bars(axes: Axes, counts: NDArray[np.int64]) -> None:
    centres = (np.arange(BINS) + 0.5) / BINS
    bars = axes.bar(centres, counts, width=0.9 / BINS, color="#b8cfe0")
    axes.bar_label(bars, labels=[f"{count:,}" for count in counts], fontsize=8, padding=1)
    axes.set_ylim(0, counts.max() * 1.3)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
