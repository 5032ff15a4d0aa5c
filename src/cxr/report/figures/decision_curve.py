"""The decision curve: net benefit of acting on the model, on everyone and on no one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..._io.text import images_of_patients, shorten
from .style import BLUE, GREY, INK, ORANGE, WIDTH_INCHES, Split

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HEIGHT = 5.4  # inches
BELOW = -0.15  # of the height above 0: enough to see treat-all cross the line


def draw_decision_curve(figure: Figure, split: Split) -> None:
    """Of `metrics["decision_curve"]`, which `decision_curve` makes; its thresholds not empty.

    Below it the gain over the better of the other two, with the interval of the paired differences:
    the bands above overlap where they move together. After Vickers and Elkin, Decision curve
    analysis (2006).
    """
    metrics = split["metrics"]
    facts = metrics["decision_curve"]
    x, model = facts["thresholds"], facts["model"]
    low, value, high = (
        np.array([one.get(end, one["value"]) for one in model]) for end in ("low", "value", "high")
    )
    figure.set_size_inches(WIDTH_INCHES, HEIGHT)
    axes, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    axes.plot(x, value, color=BLUE, label="acting on the model, 95% interval")
    axes.fill_between(x, low, high, color=BLUE, alpha=0.18, linewidth=0)
    axes.plot(
        x, facts["treat_all"], color=ORANGE, linewidth=1.2, linestyle="-.", label="on everyone"
    )
    axes.axhline(0, color=GREY, linewidth=0.8, linestyle=":", label="on no one")
    if isinstance(metrics.get("threshold"), float):
        axes.axvline(metrics["threshold"], color=INK, linewidth=0.8, linestyle="--")
    top = 1.08 * max(high.max(), max(facts["treat_all"]), 0.01)
    axes.set(
        xlim=(0, 1),
        ylim=(BELOW * top, top),
        ylabel="Net benefit per patient",
        title=_title(facts, metrics),
    )
    axes.grid(True)
    _draw_gain(below, facts)
    figure.legend(loc="outside lower center", ncols=3, handlelength=1.6, columnspacing=1.2)


def _draw_gain(axes: Axes, facts: dict[str, Any]) -> None:
    low, value, high = (
        np.array([one.get(end, one["value"]) for one in facts["gain"]], float)
        for end in ("low", "value", "high")
    )
    axes.plot(facts["thresholds"], value, color=BLUE)
    axes.fill_between(facts["thresholds"], low, high, color=BLUE, alpha=0.18, linewidth=0)
    axes.axhline(0, color=GREY, linewidth=0.8, linestyle=":")
    axes.set(
        xlabel=f"Probability of {shorten(facts['positive'])} from which one acts",
        ylabel="Gain over the\nbetter of both",
    )
    axes.grid(True)


def _title(facts: dict[str, Any], metrics: dict[str, Any]) -> str:
    stated = ", as stated" if facts["prevalence_stated"] else ""
    share = f"{100 * facts['prevalence']:.3g}% with the finding{stated}"
    line = f"{images_of_patients(metrics)}; {share}"
    if isinstance(metrics.get("threshold"), float):
        line += f"\ndashed: the model's threshold, {metrics['threshold']:.3g}"
    return line
