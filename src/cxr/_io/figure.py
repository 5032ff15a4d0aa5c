"""Figures for a person at a notebook or a script, through pyplot."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def new_figure(figsize: tuple[float, float], dpi: float | None = None) -> Figure:
    """An empty pyplot figure: shown at the end of a notebook's cell, elsewhere by `plt.show()`.

    Not to be called inside `style()`, which would undo what the first import of pyplot sets up.
    """
    import matplotlib.pyplot as plt

    figure = plt.figure(figsize=figsize, dpi=dpi, FigureClass=_shown_once())
    figure.set_layout_engine("constrained", h_pad=0.08)
    return figure


@cache
def _shown_once() -> Any:
    import matplotlib.pyplot as plt
    from matplotlib.figure import Figure

    class ShownOnce(Figure):
        """As the last value of a cell it is shown as such; pyplot must not show it again."""

        def _repr_html_(self) -> None:
            plt.close(self)

    return ShownOnce
