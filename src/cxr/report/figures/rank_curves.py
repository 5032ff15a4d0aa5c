"""The ROC curve, with the band of its patient bootstrap, and the precision-recall curve."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..._io.text import figure_text, images_of_patients, shorten
from .style import BLUE, GREY, INK, PAPER, Split, legend, series_colour, unit_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def draw_roc(figure: Figure, split: Split) -> None:
    """One curve of the positive of two classes, else one a class."""
    metrics, axes = split["metrics"], figure.subplots()
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, linestyle=":")
    for i, curve in enumerate(split["curves"]["roc"]):
        auroc = figure_text(class_metrics(metrics, curve["name"])["auroc"])
        label = f"{shorten(curve['name'])}: AUROC {auroc}"
        axes.plot(curve["x"], curve["y"], color=series_colour(i), label=label)
        if "band" in curve:
            ends = (curve["band"][end] for end in ("x", "low", "high"))
            axes.fill_between(*ends, color=BLUE, alpha=0.18, linewidth=0, label="95% interval")
    _operating_point(axes, metrics)
    unit_axes(axes)
    axes.set(xlabel="1 − specificity", ylabel="Sensitivity", title=images_of_patients(metrics))
    legend(figure, axes, "lower right")


def draw_precision_recall(figure: Figure, split: Split) -> None:
    """One curve of the positive of two classes, else one a class; guessing reaches the prevalence.

    A step each: precision is not interpolated (Davis and Goadrich, 2006).
    """
    metrics, axes = split["metrics"], figure.subplots()
    curves = split["curves"]["precision_recall"]
    for i, curve in enumerate(curves):
        auprc = figure_text(class_metrics(metrics, curve["name"])["auprc"])
        label = f"{shorten(curve['name'])}: AUPRC {auprc}"
        recall, precision = (
            np.r_[0, curve["recall"]],
            np.r_[curve["precision"][0], curve["precision"]],
        )
        axes.step(recall, precision, where="pre", color=series_colour(i), label=label)
    if "per_class" not in metrics:
        share = curves[0]["prevalence"]
        label = f"guessing: the prevalence, {share:.2f}"
        axes.axhline(share, color=GREY, linewidth=0.8, linestyle=":", label=label)
    unit_axes(axes)
    axes.set(
        xlabel="Recall (sensitivity)",
        ylabel="Precision (PPV)",
        title=images_of_patients(metrics),
    )
    legend(figure, axes, "lower left")


def class_metrics(metrics: Any, name: str) -> Any:
    """The figures of one class; those of all where there are only two."""
    return metrics["per_class"][name] if "per_class" in metrics else metrics


def _operating_point(axes: Axes, metrics: Any) -> None:
    sensitivity, specificity = metrics["sensitivity"]["value"], metrics["specificity"]["value"]
    if metrics["positive"] is None or None in (sensitivity, specificity):
        return
    axes.plot(
        1 - specificity, sensitivity, "o", color=PAPER, markeredgecolor=INK, markeredgewidth=1.2,
        markersize=5.5, label=f"threshold {metrics['threshold']:.3g}", clip_on=False, zorder=3,
    )  # fmt: skip
