"""Losses and AUROC by epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from .style import legend, series_colour

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Rows = Sequence[Mapping[str, float | None]]  # of `history.csv`


def draw_history(figure: Figure, rows: Rows, columns: Mapping[str, str], unit: str) -> None:
    """A line a column: `columns` are name -> what the legend calls it, `unit` names the axis."""
    axes = figure.subplots()
    for i, (name, label) in enumerate(columns.items()):
        points = [
            (epoch, row[name]) for epoch, row in enumerate(rows, 1) if row.get(name) is not None
        ]
        axes.plot(
            *zip(*points, strict=True), "o-", color=series_colour(i), markersize=4, label=label
        )
    axes.set(xlabel="Epoch", ylabel=unit)
    axes.locator_params(axis="x", integer=True)
    axes.grid(True)
    legend(figure, axes, "best")
