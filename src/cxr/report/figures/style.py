"""One look for every figure."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH_INCHES, HEIGHT_INCHES, DPI = 6.4, 4.8, 150
# Okabe and Ito's colours, told apart by colour-blind readers too; yellow is left out on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
BLUE, ORANGE, GREY = COLOURS[0], COLOURS[1], "#767676"
SETTINGS: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 11,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#444444",
    "axes.axisbelow": True,
    "grid.color": "#e4e4e4",
    "legend.facecolor": "white",
    "legend.edgecolor": "none",
    "legend.framealpha": 0.9,
    "legend.fontsize": 10,
    "text.parse_math": False,  # a class name may hold a dollar sign
}


@contextmanager
def style() -> Iterator[None]:
    import matplotlib as mpl

    with mpl.rc_context(SETTINGS):
        yield


def png(figure: Figure) -> bytes:
    """960 x 720 pixels unless the figure's size says otherwise; the same figure, the same bytes."""
    buffer = BytesIO()
    with warnings.catch_warnings(), style():
        # A class name in a script that the font lacks: boxes in the figure, whole in the tables.
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    return buffer.getvalue()


def colour(index: int) -> Any:
    import matplotlib as mpl

    if index < len(COLOURS):
        return COLOURS[index]
    return mpl.colormaps["tab20"]((index - len(COLOURS)) % 20)


def unit_square(axes: Axes) -> None:
    """Both axes from 0 to 1, drawn square."""
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
    ticks = np.linspace(0, 1, 6)
    axes.set_xticks(ticks)
    axes.set_yticks(ticks)
    axes.grid(True)
