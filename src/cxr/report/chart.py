"""Small charts as inline SVG: sharp in print, in the page's own colours by day and by night."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .._io.html import Html, element, join

WIDTH, LEFT, RIGHT, TOP, BOTTOM = 400, 58, 12, 10, 46
Points = Iterable[tuple[float, float]]


@dataclass(frozen=True)
class Axes:
    """Where a value lies on a drawing `WIDTH` wide and `height` high. Ticks: (value, text)."""

    x: tuple[float, float]
    y: tuple[float, float]
    x_ticks: Sequence[tuple[float, str]]
    y_ticks: Sequence[tuple[float, str]]
    x_label: str
    y_label: str
    height: int = 300

    def at_x(self, value: float) -> float:
        span = (value - self.x[0]) / (self.x[1] - self.x[0])
        return round(LEFT + span * (WIDTH - LEFT - RIGHT), 1)

    def at_y(self, value: float) -> float:
        span = (value - self.y[0]) / (self.y[1] - self.y[0])
        return round(self.height - BOTTOM - span * (self.height - TOP - BOTTOM), 1)


UNIT = tuple((i / 5, f"{i / 5:.1f}") for i in range(6))


def unit_square(x_label: str, y_label: str) -> Axes:
    """Both axes from 0 to 1, drawn square."""
    return Axes((0, 1), (0, 1), UNIT, UNIT, x_label, y_label, WIDTH - LEFT - RIGHT + TOP + BOTTOM)


def even_ticks(low: float, high: float, about: int = 5) -> list[tuple[float, str]]:
    """Round values within a range, at steps of 1, 2 or 5 times a power of ten."""
    size = 10.0 ** math.floor(math.log10((high - low) / about))
    step = next(size * each for each in (1, 2, 5, 10) if (high - low) / (size * each) <= about)
    digits = max(0, -math.floor(math.log10(step)))
    count = range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)
    return [(i * step, f"{i * step:,.{digits}f}") for i in count]


def chart(
    axes: Axes,
    marks: Sequence[Html],
    *,
    title: str,
    alt: str,
    legend: Sequence[tuple[str, str]] = (),
    note: str = "",
) -> Html:
    """A figure: title, drawing, legend of (class, text), note. `alt` tells what it shows."""
    drawing = element(
        "svg", _frame(axes), join(marks), role="img", aria_label=alt,
        **{"viewBox": f"0 0 {WIDTH} {axes.height}"},
    )  # fmt: skip
    keys = [
        element("li", element("i", class_=f"swatch {kind}", aria_hidden="true"), text)
        for kind, text in legend
    ]
    below = [element("ul", *keys, class_="legend")] if keys else []
    below += [element("p", note, class_="soft")] if note else []
    return element("figure", element("figcaption", title), drawing, *below, class_="chart")


def line(axes: Axes, points: Points, kind: str) -> Html:
    return element("path", d=_path(axes, points), class_=f"line {kind}")


def band(axes: Axes, x: Sequence[float], low: Sequence[float], high: Sequence[float]) -> Html:
    there = _path(axes, zip(x, high, strict=True))
    back = _path(axes, zip(reversed(x), reversed(low), strict=True))
    return element("path", d=f"{there}L{back[1:]}Z", class_="band")


def dot(axes: Axes, x: float, y: float, kind: str) -> Html:
    return element(
        "circle", cx=f"{axes.at_x(x)}", cy=f"{axes.at_y(y)}", r="4", class_=f"dot {kind}"
    )


def whisker(axes: Axes, x: float, low: float, high: float, kind: str) -> Html:
    return line(axes, [(x, low), (x, high)], f"whisker {kind}")


def block(axes: Axes, x: tuple[float, float], y: tuple[float, float], kind: str) -> Html:
    left, right = (axes.at_x(one) for one in x)
    bottom, top = (axes.at_y(one) for one in y)
    return element(
        "rect", x=f"{left}", y=f"{min(top, bottom)}", width=f"{right - left:.1f}",
        height=f"{abs(bottom - top):.1f}", class_=f"block {kind}",
    )  # fmt: skip


def _path(axes: Axes, points: Points) -> str:
    return "M" + "L".join(f"{axes.at_x(x)} {axes.at_y(y)}" for x, y in points)


def _frame(axes: Axes) -> Html:
    left, right = axes.at_x(axes.x[0]), axes.at_x(axes.x[1])
    low, middle = axes.height - BOTTOM, (TOP + axes.height - BOTTOM) / 2
    parts = []
    for value, text in axes.y_ticks:
        y = axes.at_y(value)
        parts.append(element("path", d=f"M{left} {y}H{right}", class_="grid"))
        parts.append(_text(left - 7, y + 4, text, "end"))
    for value, text in axes.x_ticks:
        x = axes.at_x(value)
        parts.append(element("path", d=f"M{x} {TOP}V{low}", class_="grid"))
        parts.append(_text(x, low + 17, text, "middle"))
    parts.append(_text((left + right) / 2, axes.height - 8, axes.x_label, "middle", "axis"))
    turn = f"rotate(-90 12 {middle:.1f})"
    parts.append(_text(12, middle, axes.y_label, "middle", "axis", turn))
    return join(parts)


def _text(x: float, y: float, text: str, anchor: str, kind: str = "", turn: str = "") -> Html:
    more = {"transform": turn} if turn else {}
    return element(
        "text", text, x=f"{x:.1f}", y=f"{y:.1f}", text_anchor=anchor,
        class_=f"tick {kind}".strip(), **more,
    )  # fmt: skip
