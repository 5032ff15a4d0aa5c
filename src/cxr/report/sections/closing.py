"""What no figure here can tell, and how to get the same figures again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..._io.html import Html, bullets, element, join
from ..content import Report
from ..tables import facts_table

Json = Mapping[str, Any]
LIMITS = (
    "The figures hold for images like the ones measured. Another hospital, machine, age group or "
    "way of choosing patients can change them a great deal; measure there before relying on them.",
    "They count images, not patients; a patient with several images counts several times. The "
    "intervals allow for that.",
    "Predictive values depend on how common the finding is; those in the table of figures hold at "
    "the share in this data set only.",
    "The labels are taken as true. Where readers erred, so do these figures.",
    "A model can score well by how images were made and not by what they show. Look at the "
    "images with the largest losses, and run cxr check on the data.",
)


def limits(report: Report) -> Html:
    del report  # the same for every model
    return bullets(LIMITS)


def reproduce(report: Report) -> Html:
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
    if environment := report.result("environment"):
        parts += [element("h3", "Made with"), facts_table(_flat(environment), "Versions")]
    return join(parts)


def _line(table: str, metrics: Json) -> str:
    intervals, threshold = metrics["intervals"], metrics["threshold"]
    prevalence = (
        f", prevalence={metrics['stated_prevalence']}" if "stated_prevalence" in metrics else ""
    )
    return (
        f'measure(read_predictions("{table}", positive={metrics["positive"]!r}), '
        f"threshold={threshold if isinstance(threshold, float) else 0.5}, "
        f"resamples={intervals['resamples']}, seed={intervals['seed']}{prevalence})"
    )


def _flat(environment: Json) -> dict[str, Any]:
    rest = {name: value for name, value in environment.items() if name != "versions"}
    return {**rest, **environment["versions"]}
