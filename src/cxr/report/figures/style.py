"""One look for every figure, as a PNG file and as SVG in the colours of the page."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO, StringIO
from typing import TYPE_CHECKING, Any

import numpy as np

from ..._io.html import Html

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Split = Mapping[str, Any]  # one of the `splits` of report.json: `metrics`, `curves`
WIDTH_INCHES, HEIGHT_INCHES, DPI = 4.8, 3.6, 200
# After Okabe and Ito, told apart by colour-blind readers too; dark enough to stand out on white.
COLOURS = ("#0069a5", "#b8500a", "#00795a", "#a13e80", "#6a4fa3", "#7a6200", "#1c2328")
BLUE, ORANGE, INK = COLOURS[0], COLOURS[1], COLOURS[-1]
GREY, LINE, PAPER = "#55616a", "#dde2e5", "#ffffff"
# The same colours as variables of page.css, which has others by night.
VARIABLES = {colour: f"var(--s{i})" for i, colour in enumerate(COLOURS)}
VARIABLES |= {INK: "var(--ink)", GREY: "var(--soft)", LINE: "var(--line)", PAPER: "var(--paper)"}
SETTINGS: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 8.5,
    "text.color": INK,
    "text.parse_math": False,  # a class name may hold a dollar sign
    "axes.titlesize": 8.5,
    "axes.titlelocation": "left",
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "axes.linewidth": 0.6,
    "axes.axisbelow": True,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.5,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.facecolor": PAPER,
    "legend.edgecolor": "none",
    "legend.framealpha": 0.9,
    "legend.fontsize": 8,
    "svg.fonttype": "none",
}


@contextmanager
def style(**more: Any) -> Iterator[None]:
    """The settings, and no warning of a class name in a script that the font lacks.

    Such a name shows as boxes in the figure and whole in the tables.
    """
    import matplotlib as mpl

    settings: dict[Any, Any] = {**SETTINGS, **more}
    with mpl.rc_context(settings), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        yield


def png(figure: Figure) -> bytes:
    """960 x 720 pixels unless the figure's size says otherwise; the same figure, the same bytes."""
    buffer = BytesIO()
    with style():
        figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    return buffer.getvalue()


def svg(figure: Figure, key: str) -> Html:
    """An `<svg>` for a page: text as text, colours of page.css, the same figure, the same letters.

    `key` tells the figures of a page apart, so that no two elements have one id.
    """
    buffer = StringIO()
    with style(**{"svg.hashsalt": key}):
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(buffer, format="svg", facecolor="none", metadata=nothing)
    drawing = buffer.getvalue()
    view = re.findall(r'viewBox="[^"]+"', drawing)[0]
    body = drawing[drawing.index(">", drawing.index("<svg")) + 1 : drawing.rindex("</svg>")]
    body = re.sub(r"<style.*?</style>|<!--.*?-->", "", body, flags=re.DOTALL)
    body = re.sub(r'<g id="[^"]*"', "<g", body)  # nothing refers to groups
    for colour, variable in VARIABLES.items():
        body = body.replace(f": {colour}", f": {variable}")
    return Html(f"<svg {view}>{body}</svg>")


def series_colour(index: int) -> Any:
    import matplotlib as mpl

    if index < len(COLOURS):
        return COLOURS[index]
    return mpl.colormaps["tab20"]((index - len(COLOURS)) % 20)


def unit_axes(axes: Axes) -> None:
    """Both axes from 0 to 1."""
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
    ticks = np.linspace(0, 1, 6)
    axes.set_xticks(ticks)
    axes.set_yticks(ticks)
    axes.grid(True)


def legend(figure: Figure, axes: Axes, loc: Any, inside: int = 4) -> None:
    """Within the axes where it is short, else below them."""
    if len(axes.get_legend_handles_labels()[1]) <= inside:
        axes.legend(loc=loc)
    else:
        figure.legend(loc="outside lower center", ncols=2, handlelength=1.4, fontsize=7)
