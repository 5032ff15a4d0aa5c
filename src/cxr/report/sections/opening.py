"""The verdict: what was found, what speaks against it, what it may be used for; the population."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..._io.html import Html, bullets, element, join
from .. import sentences, set_aside
from ..content import Report

NOT_STATED = (
    "Not stated. The figures hold only for patients like those that the model was trained on, so "
    "say who they were (age, country, hospital, how they were chosen) before you share this report."
)


def render(report: Report) -> Html:
    verdict, caveats = report.data["verdict"], report.data["caveats"]
    mind = [element("p", "Keep in mind:", class_="mind"), bullets(caveats)] if caveats else []
    finding = sentences.finding(report.data["headline"], report.headline)
    return join(
        [
            element("p", "Evaluation of a chest X-ray classifier", class_="eyebrow"),
            element("h1", verdict["headline"], *_doubt(verdict["doubt"])),
            element("p", finding, class_="lead"),
            *_beside(report),
            *mind,
            element(
                "div",
                _card("It may serve for", verdict["may"], "may"),
                _card("It must not serve for", verdict["may_not"], "may-not"),
                class_="verdict",
            ),
        ]
    )


def _beside(report: Report) -> list[Html]:
    """What validation had promised, where test images are measured beside it."""
    if "validation_minus_test" not in report.headline:
        return []
    valid = report.splits["valid"]["metrics"]
    return [element("p", set_aside.against_validation(report.headline, valid), class_="lead")]


def _doubt(text: str) -> list[str]:
    return [" ", element("span", text)] if text else []


def _card(title: str, items: Sequence[Any], kind: str) -> Html:
    lines = [element("li", element("b", f"{one['head']}. "), one["text"]) for one in items]
    return element("div", element("h2", title), element("ul", *lines), class_=f"card {kind}")


def population(report: Report) -> Html:
    """Whose images the model was trained on."""
    return element("p", report.data["population"] or NOT_STATED)
