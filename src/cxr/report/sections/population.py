"""Whose images the model learnt from."""

from __future__ import annotations

from ..._io.html import Html, element
from ..material import Report

NOT_STATED = (
    "Not stated. The figures hold only for patients like those that the model learnt from, so say "
    "who they were (age, country, hospital, how they were chosen) before you share this report."
)


def render(report: Report) -> Html:
    return element("p", report.data["population"] or NOT_STATED)
