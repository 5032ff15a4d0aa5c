"""HTML that is safe by construction: text is escaped unless it is already Html."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape

VOID = frozenset({"img", "meta"})


class Html(str):
    """Finished markup. Only this module and fixed strings make it."""


def element(tag: str, /, *children: str, **attributes: str) -> Html:
    """`element("p", "a < b", class_="lead")`; an attribute's trailing underscore is dropped."""
    given = "".join(f' {key.rstrip("_")}="{escape(value)}"' for key, value in attributes.items())
    opening = f"<{tag}{given}>"
    return Html(opening if tag in VOID else f"{opening}{join(children)}</{tag}>")


def join(parts: Iterable[str]) -> Html:
    return Html("".join(part if isinstance(part, Html) else escape(part) for part in parts))


def whole(text: str) -> Html:
    """Never broken over two lines."""
    return element("span", text, class_="whole")


def bullets(lines: Iterable[str]) -> Html:
    return element("ul", *(element("li", line) for line in lines))


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Html:
    """The first column holds the row's heading."""
    head = element("tr", *(element("th", text, scope="col") for text in header))
    body = (
        element(
            "tr", element("th", row[0], scope="row"), *(element("td", cell) for cell in row[1:])
        )
        for row in rows
    )
    inner = element("table", element("thead", head), element("tbody", *body))
    return element("div", inner, class_="wide")


def picture(png: bytes, caption: str, alt: str) -> Html:
    """The image travels inside the page."""
    source = "data:image/png;base64," + base64.b64encode(png).decode("ascii")
    image = element("img", src=source, alt=alt, width="960", height="720")
    return element("figure", image, element("figcaption", caption))
