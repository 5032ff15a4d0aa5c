"""The same figures in groups of patients, and the group that fares worst."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..._io.html import Html, Row, Scale, bars, bullets, element, join, remark, table
from ..._io.text import figure_text
from .. import sentences
from ..labels import METRICS

Json = Mapping[str, Any]
SHOWN = ("auroc", "sensitivity", "specificity", "accuracy")


def render(split: Json) -> Html | None:
    columns = split["metrics"].get("subgroups") or {}
    return join(_column(name, some) for name, some in columns.items()) if columns else None


def _column(name: str, column: Json) -> Html:
    measured = [one for one in column["groups"] if "refused" not in one]
    unmeasured = [one for one in column["groups"] if "refused" in one]
    parts = [element("h4", f"By {name}")]
    if measured:
        metric = "auroc" if _defined(measured, "auroc") > 1 else "accuracy"
        parts += [_drawn(measured, metric, column), *_worst(name, column), _table(name, measured)]
    if unmeasured:
        reasons = (f"{one['name']} ({one['n']:,} images: {one['refused']})" for one in unmeasured)
        parts.append(remark(f"Not measured: {'; '.join(reasons)}."))
    if column.get("missing"):
        parts.append(remark(f"{column['missing']:,} images do not say their {name}."))
    return join(parts)


def _defined(groups: Sequence[Json], metric: str) -> int:
    return sum(one[metric]["value"] is not None for one in groups)


def _drawn(groups: Sequence[Json], metric: str, column: Json) -> Html:
    worst = sentences.clearly_worst(column, metric)
    shown = [one for one in groups if one[metric]["value"] is not None]
    if not shown:
        return Html("")
    lows = [one[metric].get("low", one[metric]["value"]) for one in shown]
    start = max(0.0, int(min(lows) * 10 - 0.5) / 10)
    label = METRICS[metric].short
    rows = [
        Row(
            f"{one['name']}, n = {one['n']:,}",
            one[metric],
            f"{label} {figure_text(one[metric])}",
            "bad" if one["name"] == worst else "",
        )
        for one in shown
    ]
    return bars(rows, Scale(start, 1.0), (f"{start:.1f}", "1"))


def _worst(name: str, column: Json) -> list[Html]:
    if lowest := sentences.worst_groups(name, column):
        return [bullets(lowest)]
    if any((column.get("worst") or {}).values()):
        return [
            element("p", "No group is shown to be worse than the others; small ones may hide it.")
        ]
    return []


def _table(name: str, groups: Sequence[Json]) -> Html:
    header = (name, "Images", "Patients", *(METRICS[m].short for m in SHOWN))
    rows = [
        (
            one["name"],
            f"{one['n']:,}",
            "unknown" if one.get("n_patients") is None else f"{one['n_patients']:,}",
            *(figure_text(one[metric], digits=3) for metric in SHOWN),
        )
        for one in groups
    ]
    return table(header, rows, f"Figures by {name}")
