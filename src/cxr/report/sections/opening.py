"""The verdict: what was found, what speaks against it, what it may and may not be used for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..._io.html import Html, bullets, element, join
from .. import words
from ..material import Report

Item = Mapping[str, str]


def render(report: Report) -> Html:
    verdict, caveats = report.data["verdict"], report.data["caveats"]
    mind = [element("p", "Keep in mind:", class_="mind"), bullets(caveats)] if caveats else []
    return join(
        [
            element("p", "Evaluation of a chest X-ray classifier", class_="eyebrow"),
            element("h1", verdict["headline"], *_doubt(verdict["doubt"])),
            element("p", words.finding(report.data["headline"], report.headline), class_="lead"),
            *mind,
            element(
                "div",
                _card("It may serve for", verdict["may"], "may"),
                _card("It must not serve for", verdict["may_not"], "may-not"),
                class_="verdict",
            ),
        ]
    )


def _doubt(text: str) -> list[str]:
    return [" ", element("span", text)] if text else []


def _card(title: str, items: Sequence[Any], kind: str) -> Html:
    told = [element("li", element("b", f"{one['head']}. "), one["text"]) for one in items]
    return element("div", element("h2", title), element("ul", *told), class_=f"card {kind}")
