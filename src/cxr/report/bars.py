"""Intervals drawn as bars on one scale, each with its label and its figures in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .html import Html, element, join

Figure = Mapping[str, Any]


@dataclass(frozen=True)
class Row:
    """`figure` has a value; `text` says it in words; `tone` is "", "bad" or "own"."""

    label: str
    figure: Figure
    text: str
    tone: str = ""


@dataclass(frozen=True)
class Scale:
    """From `low` to `high`; `mark` is the value to compare with, drawn as a line."""

    low: float
    high: float
    mark: float | None = None

    def percent(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return round(100 * min(max(share, 0.0), 1.0), 2)


def bars(rows: Sequence[Row], scale: Scale, ends: tuple[str, str]) -> Html:
    """`ends` say what the two ends of the scale mean."""
    items = [element("li", *_row(row, scale)) for row in rows]
    foot = element("li", "", element("span", *_ends(ends), class_="ends"), class_="foot")
    return element("ul", *items, foot, class_="bars")


def bar(figure: Figure, scale: Scale, tone: str = "") -> Html:
    """The bar alone; its figures must stand beside it in words."""
    parts = []
    if scale.mark is not None:
        parts.append(element("i", class_="mark", style=f"left:{scale.percent(scale.mark)}%"))
    if "low" in figure:
        left, right = scale.percent(figure["low"]), scale.percent(figure["high"])
        width = f"left:{left}%;width:{max(right - left, 0.6):.2f}%"
        parts.append(element("i", class_="range", style=width))
    parts.append(element("i", class_="value", style=f"left:{scale.percent(figure['value'])}%"))
    return element("span", join(parts), class_=f"bar {tone}".strip(), aria_hidden="true")


def _row(row: Row, scale: Scale) -> tuple[Html, ...]:
    return (
        element("span", row.label, class_="label"),
        bar(row.figure, scale, row.tone),
        element("span", row.text, class_="said"),
    )


def _ends(ends: tuple[str, str]) -> tuple[Html, Html]:
    return element("span", ends[0]), element("span", ends[1])
