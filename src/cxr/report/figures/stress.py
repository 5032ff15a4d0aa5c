"""The stress test as one image: what each change does to accuracy and to the decisions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..._io.text import images_of_patients, shorten
from .style import BLUE, GREY, ORANGE, png, style

WIDTH_INCHES, ROW_INCHES, REST_INCHES = 6.9, 0.19, 1.55


def draw_stress(result: Mapping[str, Any]) -> bytes:
    """PNG; one row a change, the worst at the top, as in `stress.json`."""
    from matplotlib.figure import Figure  # not pyplot: no window system, safe in any thread

    changes = result["changes"]
    with style():
        height = REST_INCHES + ROW_INCHES * len(changes)
        figure = Figure(figsize=(WIDTH_INCHES, height), layout="constrained")
        left, right = figure.subplots(1, 2, sharey=True, width_ratios=(3, 2))
        _draw_accuracy(left, changes)
        _draw_decisions(right, changes)
        left.set_ylim(len(changes) - 0.5, -0.5)
        figure.suptitle(
            f"{images_of_patients(result)}\n"
            f"model trained on {shorten(result['trained_on'], 100)}"
            f"\n{result['about']['research_use_only']}",
            x=0.01,
            ha="left",
            fontsize=7,
        )
        return png(figure)


def _draw_accuracy(axes: Any, changes: list[dict[str, Any]]) -> None:
    for row, change in enumerate(changes):
        moved = change["difference"]["accuracy"]
        if moved["value"] is None:
            continue
        colour = ORANGE if moved.get("high", moved["value"]) < 0 else BLUE
        if "low" in moved:
            axes.plot([moved["low"], moved["high"]], [row, row], color=colour, linewidth=1.5)
        axes.plot(moved["value"], row, "o", color=colour, markersize=4)
    axes.axvline(0, color=GREY, linewidth=0.8)
    names = [f"{change['name']}, {change['strength']}" for change in changes]
    axes.set_yticks(range(len(changes)), names, fontsize=7)
    axes.set_xlabel("change of accuracy, 95 % interval\n(orange: wholly below 0)")
    axes.grid(True, axis="x")


def _draw_decisions(axes: Any, changes: list[dict[str, Any]]) -> None:
    shares = [100 * change["decisions_changed"]["value"] for change in changes]
    axes.barh(range(len(changes)), shares, color=BLUE, height=0.6)
    axes.set_xlim(0, 100)
    axes.set_xlabel("decisions that change, %")
    axes.grid(True, axis="x")
