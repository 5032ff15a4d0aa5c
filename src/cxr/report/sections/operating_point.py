"""The operating point: right and wrong answers, and what they mean for 1,000 patients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..._io.html import Html, element, join, remark, table
from ..._io.text import percent, percent_text

LARGEST = 30  # classes in a table


def render(split: Mapping[str, Any]) -> Html | None:
    metrics = split["metrics"]
    parts = [*_rule(metrics), *_confusion(metrics)]
    if metrics["positive"] is not None:
        parts += _patients(metrics)
    return join(parts) if parts else None


def _rule(metrics: Mapping[str, Any]) -> list[Html]:
    limits = metrics["threshold"]
    if isinstance(limits, Mapping) and "value" not in limits:
        each = "; ".join(f"{name} {at:.3g}" for name, at in limits.items())
        return [element("p", f"Positive means a probability of its threshold or more: {each}.")]
    if not isinstance(limits, float):
        return []
    point = metrics.get("operating_point") or {}
    rule = f" The rule: {point['rule']}." if point.get("rule") else ""
    name = metrics["positive"] or "each finding"
    text = f"Positive means a probability of {name} of {metrics['threshold']:.3g} or more.{rule}"
    return [element("p", text)]


def _confusion(metrics: Mapping[str, Any]) -> list[Html]:
    counts, classes = metrics.get("confusion_matrix"), metrics["classes"]
    if counts is None or len(classes) > LARGEST:
        return []
    header = ("Actual", *(f"Predicted {name}" for name in classes))
    rows = [(name, *_cells(row)) for name, row in zip(classes, counts, strict=True)]
    drawn = table(header, rows, "Confusion matrix")
    note = remark(
        "Confusion matrix: images by actual and predicted class, with shares of each row."
    )
    return [element("div", drawn, class_="confusion"), note]


def _cells(row: Sequence[int]) -> list[Html]:
    total = max(sum(row), 1)
    return [
        element(
            "span",
            element("b", f"{count:,}"),
            f" {percent(count / total)}",
            class_="cell",
            style=f"--share:{100 * count / total:.0f}%",
        )
        for count in row
    ]


def _patients(metrics: Mapping[str, Any]) -> list[Html]:
    if metrics["sensitivity"]["value"] is None or metrics["specificity"]["value"] is None:
        return [element("p", "What it means for patients cannot be said: one class is missing.")]
    point = metrics.get("operating_point")
    if point is None:
        return []
    header = (
        "Prevalence", f"With {metrics['positive']}", "Found", "Missed", "False alarms",
        "A positive is right", "A negative is right",
    )  # fmt: skip
    rows = [
        (
            percent(row["prevalence"]) + (" (here)" if row["here"] else ""),
            f"{row['with_finding']}",
            f"{row['found']}",
            *(_count(row[name]) for name in ("missed", "false_alarms")),
            *(_share(row[name]) for name in ("ppv", "npv")),
        )
        for row in point["patients"]
    ]
    return [
        element("p", point["sentence"], class_="key"),
        table(header, rows, "What it means for 1,000 patients"),
        remark("Of 1,000 patients with one image each; in brackets 95% intervals."),
    ]


def _count(figure: Mapping[str, Any]) -> str:
    return f"{figure['value']}" + (
        f" ({figure['low']} to {figure['high']})" if "low" in figure else ""
    )


def _share(figure: Mapping[str, Any]) -> str:
    return figure["reason"] if figure["value"] is None else percent_text(figure)
