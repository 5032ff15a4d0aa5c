"""How to get the same figures again, and the exact versions that they were made with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..._io.html import Html, element, join
from ..material import Report
from ..tables import facts_table

Json = Mapping[str, Any]


def render(report: Report) -> Html:
    lines = ["from cxr.evaluate import measure, read_predictions", ""]
    lines += [_line(split["table"], split["metrics"]) for split in report.splits.values()]
    parts = [
        element(
            "p",
            "The tables of predictions, metrics.json and report.json, of which this page is made, "
            "lie beside it; these lines give the same figures again.",
        ),
        element(
            "pre", element("code", "\n".join(lines)), tabindex="0", role="region",
            aria_label="Code that reproduces the figures",
        ),
    ]  # fmt: skip
    if environment := report.part("environment"):
        parts += [element("h3", "Made with"), facts_table(_flat(environment), "Versions")]
    return join(parts)


def _line(table: str, metrics: Json) -> str:
    intervals, threshold = metrics["intervals"], metrics["threshold"]
    stated = (
        f", prevalence={metrics['stated_prevalence']}" if "stated_prevalence" in metrics else ""
    )
    return (
        f'measure(read_predictions("{table}", positive={metrics["positive"]!r}), '
        f"threshold={threshold if isinstance(threshold, float) else 0.5}, "
        f"resamples={intervals['resamples']}, seed={intervals['seed']}{stated})"
    )


def _flat(environment: Json) -> dict[str, Any]:
    rest = {name: value for name, value in environment.items() if name != "versions"}
    return {**rest, **environment["versions"]}
