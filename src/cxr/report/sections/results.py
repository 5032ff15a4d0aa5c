"""All that was measured on one split: figures, curves, calibration, what it means, groups."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..._io.html import Html, element, join, remark
from ..._io.text import images_of_patients
from .. import words
from ..material import Report
from ..tables import class_table, figures_table
from . import at_threshold, calibration, curves, decision, subgroups, tiles

Split = Mapping[str, Any]
BLOCKS: tuple[tuple[str, str, Callable[[Split], Html | None]], ...] = (
    ("threshold", "At the threshold", at_threshold.render),
    ("curves", "Over all thresholds", curves.render),
    ("calibration", "Can the probabilities be believed?", calibration.render),
    ("decision", "Is acting on it better than not?", decision.render),
    ("subgroups", "Groups of patients", subgroups.render),
)


def title(name: str, report: Report) -> str:
    size = images_of_patients(report.splits[name]["metrics"])
    return f"{words.split_name(name).capitalize()}: {size}"


def render(name: str, report: Report) -> Html:
    split = report.splits[name]
    metrics = split["metrics"]
    parts = [tiles.render(metrics), *_blocks(name, split)]
    parts += [element("h3", "All figures"), figures_table(metrics), _about_intervals(metrics)]
    if "per_class" in metrics:
        parts += [element("h3", "Each class against the rest"), class_table(metrics)]
    return join(parts)


def _blocks(name: str, split: Split) -> list[Html]:
    drawn = ((anchor, heading, block(split)) for anchor, heading, block in BLOCKS)
    return [
        element("section", element("h3", heading), body, id=f"{name}-{anchor}")
        for anchor, heading, body in drawn
        if body is not None
    ]


def _about_intervals(metrics: Mapping[str, Any]) -> Html:
    intervals = metrics["intervals"]
    note = f" Note: {intervals['note']}." if "note" in intervals else ""
    return remark(
        f"Intervals: {intervals['method']}; {intervals['resamples']:,} resamples, "
        f"seed {intervals['seed']}.{note}"
    )
