"""HTML that is safe by construction: text is escaped unless it is already Html."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from .._io.drawing import data_uri

VOID = frozenset({"img", "meta", "wbr"})


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


def whole(text: str) -> Html:
    """Never broken over two lines."""
    return element("span", text, class_="whole")


def soft(text: str) -> Html:
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


def picture(content: bytes, alt: str, **attributes: str) -> Html:
    """A PNG, JPEG or WebP that travels inside the page."""
    return element("img", src=data_uri(content), alt=alt, **attributes)
