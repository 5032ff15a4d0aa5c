"""All that was measured on one split: figures, curves, operating point, subgroups, tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..._io.html import Html, Scale, bar, element, join, remark
from ..._io.text import images_of_patients
from .. import sentences
from ..content import Report
from ..labels import METRICS
from ..tables import class_table, figures_table
from . import curves, operating_point, subgroups

Json = Mapping[str, Any]
TILES_OF_TWO = ("auroc", "sensitivity", "specificity", "accuracy")
TILES = ("auroc", "auprc", "accuracy", "balanced_accuracy")


def title(name: str, report: Report) -> str:
    size = images_of_patients(report.splits[name]["metrics"])
    return f"{sentences.split_name(name).capitalize()}: {size}"


def render(name: str, report: Report) -> Html:
    split = report.splits[name]
    metrics = split["metrics"]
    parts = [_tiles(metrics), *_blocks(name, split, report.charts)]
    parts += [element("h3", "All figures"), figures_table(metrics), _about_intervals(metrics)]
    if "per_class" in metrics:
        parts += [element("h3", "Each class against the rest"), class_table(metrics)]
    return join(parts)


def _blocks(name: str, split: Json, charts: Mapping[str, Html]) -> list[Html]:
    own = {key.removeprefix(f"{name}-"): chart for key, chart in charts.items()}
    blocks = (
        ("threshold", "At the threshold", operating_point.render(split)),
        ("curves", "Over all thresholds", curves.ranking(split, own)),
        ("calibration", "Calibration", curves.calibration(split, own)),
        ("decision", "Is acting on it better than not?", curves.decision(split, own)),
        ("subgroups", "Subgroups of patients", subgroups.render(split)),
    )
    return [
        element("section", element("h3", heading), body, id=f"{name}-{anchor}")
        for anchor, heading, body in blocks
        if body is not None
    ]


def _tiles(metrics: Json) -> Html:
    """The four figures that matter most, with their intervals."""
    names = TILES_OF_TWO if metrics["positive"] is not None else TILES
    return element("dl", *(_tile(name, metrics[name]) for name in names), class_="tiles")


def _tile(name: str, figure: Json) -> Html:
    label, meaning = METRICS[name].short, METRICS[name].meaning
    if figure["value"] is None:
        drawn = [element("dd", "undefined", class_="big"), element("dd", figure["reason"])]
        return element("div", element("dt", label), *drawn)
    chance = 0.5 if name == "auroc" else None
    scale = Scale(chance or 0.0, 1.0, chance)
    known = "low" in figure
    span = f"{figure['low']:.3f} to {figure['high']:.3f}" if known else figure["reason"]
    return element(
        "div",
        element("dt", label),
        element("dd", f"{figure['value']:.3f}", class_="big"),
        element("dd", bar(figure, scale), span),
        element("dd", meaning, class_="soft"),
    )


def _about_intervals(metrics: Json) -> Html:
    intervals = metrics["intervals"]
    note = f" Note: {intervals['note']}." if "note" in intervals else ""
    return remark(
        f"Intervals: {intervals['method']}; {intervals['resamples']:,} resamples, "
        f"seed {intervals['seed']}.{note}"
    )
