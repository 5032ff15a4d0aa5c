"""Pages that stand alone and are safe by construction: text is escaped unless it is Html."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from typing import Any

from .drawing import data_uri

VOID = frozenset({"img", "meta", "wbr"})
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
Figure = Mapping[str, Any]


class Html(str):
    """Finished markup. Only this module and fixed strings make it."""


def element(tag: str, /, *children: str, **attributes: str) -> Html:
    """`element("p", "a < b", class_="lead", aria_label="x")`: `_` ends a name or stands for `-`."""
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(value)}"'
        for key, value in attributes.items()
    )
    opening = f"<{tag}{given}>"
    return Html(opening if tag in VOID else f"{opening}{join(children)}</{tag}>")


def join(parts: Iterable[str]) -> Html:
    return Html("".join(part if isinstance(part, Html) else escape(part) for part in parts))


def unbroken(text: str) -> Html:
    """Never broken over two lines."""
    return element("span", text, class_="whole")


def remark(text: str) -> Html:
    """A note under a table or a figure."""
    return element("p", text, class_="soft")


def command(text: str) -> Html:
    return element("code", text, class_="command")


def bullets(lines: Iterable[str]) -> Html:
    return element("ul", *(element("li", line) for line in lines))


def table(header: Sequence[str], rows: Iterable[Sequence[str]], label: str, kind: str = "") -> Html:
    """The first column holds the row's heading. A table too wide scrolls in a box of its own."""
    head = element("tr", *(element("th", text, scope="col") for text in header))
    body = (
        element(
            "tr", element("th", row[0], scope="row"), *(element("td", cell) for cell in row[1:])
        )
        for row in rows
    )
    inner = element("table", element("thead", head), element("tbody", *body))
    return element(
        "div", inner, class_=f"wide {kind}".strip(), role="region", aria_label=label, tabindex="0"
    )


def image(content: bytes, alt: str) -> Html:
    """A PNG, JPEG or WebP that travels inside the page."""
    return element("img", src=data_uri(content), alt=alt)


def style_sheet() -> str:
    """The one look of all pages that cxr writes."""
    return files(__package__).joinpath("page.css").read_text(encoding="utf-8")


def document(title: str, description: str, body: Html) -> str:
    """A whole page: no script, nothing loaded from anywhere, readable by day and by night."""
    head = element(
        "head",
        element("meta", charset="utf-8"),
        Html(f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", name="description", content=description),
        element("title", title),
        element("style", Html(style_sheet())),
    )
    return f"<!doctype html>\n{element('html', head, element('body', body), lang='en')}\n"


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
