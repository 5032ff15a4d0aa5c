"""The score histogram: how far the model keeps positive and negative images apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..._io.text import images_of_patients, shorten
from .style import BLUE, INK, ORANGE, Split

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_scores(figure: Figure, split: Split) -> None:
    """Two panels over one axis, so that neither histogram hides the other."""
    metrics, scores = split["metrics"], split["curves"]["scores"]
    threshold = metrics["threshold"]
    panels = figure.subplots(2, 1, sharex=True)
    kinds = zip(panels, ("with", "without"), scores["names"], (ORANGE, BLUE), strict=True)
    for axes, kind, name, colour in kinds:
        axes.stairs(scores[kind], scores["edges"], fill=True, color=colour)
        axes.set_title(f"{shorten(name)}, n = {sum(scores[kind]):,}", color=colour)
        axes.grid(True, axis="y")
        axes.locator_params(axis="y", integer=True, nbins=5)
        axes.set_ylabel("Labels" if metrics["multi_label"] else "Images")
        if isinstance(threshold, float):
            axes.axvline(threshold, color=INK, linewidth=0.8, linestyle="--")
    line = f"; dashed: threshold {threshold:.3g}" if isinstance(threshold, float) else ""
    figure.suptitle(images_of_patients(metrics) + line, x=0.01, ha="left", fontsize=8.5)
    panels[1].set(xlim=(-0.01, 1.01), xlabel=f"Predicted probability of {shorten(scores['name'])}")
