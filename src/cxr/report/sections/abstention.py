"""When the model abstains, and whether it notices images that are out of distribution."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..._io.html import Html, bullets, element, join, table
from ..._io.text import percent_text
from ..content import Report

Json = Mapping[str, Any]


def render(report: Report) -> Html | None:
    """`sentences` are shown as they are; `figures` (name -> figure) are listed."""
    abstention = report.result("abstention")
    if abstention is None:
        return element(
            "p",
            "The model answers every image that it is given, also one that is no chest X-ray: no "
            "rule for abstaining was set.",
        )
    parts = []
    if sentences := abstention.get("sentences"):
        parts.append(bullets(sentences))
    if figures := abstention.get("figures"):
        rows = [(name, _share(one), _count(one)) for name, one in figures.items()]
        parts.append(table(("What", "Share (95% interval)", "n"), rows, "When it abstains"))
    return join(parts) if parts else None


def _share(figure: Json) -> str:
    if figure["value"] is None:
        return f"undefined: {figure['reason']}"
    return percent_text(figure)


def _count(figure: Json) -> str:
    return f"{figure['n']:,}" if figure.get("n") is not None else ""
