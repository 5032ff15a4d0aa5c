"""How the training went, epoch by epoch, and with which settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..._io.html import Html, element, join, table
from .. import chart
from ..material import Report
from ..tables import facts_table

Json = Mapping[str, Any]
LOSSES = {"train_loss": "training", "valid_loss": "validation"}
FEWEST = 3  # epochs that make a curve
LONGEST = 30  # epochs in the table; all are in history.csv
NAMES = {"auroc": "AUROC", "train_loss": "training loss", "valid_loss": "validation loss"}


def render(report: Report) -> Html | None:
    history, facts, settings = (
        report.part("history"), report.data["facts"], report.part("settings")
    )  # fmt: skip
    parts = []
    if facts:
        parts += [element("h3", "The model"), facts_table(facts, "The model")]
    if history:
        parts += [element("h3", "Epoch by epoch"), *_curves(history), _table(history)]
    if settings:
        parts += [element("h3", "All settings"), facts_table(_told(settings), "All settings")]
    return join(parts) if parts else None


def _table(history: Sequence[Json]) -> Html:
    names = [name for name in history[0] if name not in ("phase", "epoch")]
    header = ("Epoch", *(_name(name) for name in names))
    rows = [
        (str(number), *(_number(row.get(name)) for name in names))
        for number, row in enumerate(history, 1)
    ]
    return table(header, rows[-LONGEST:], "Training history")


def _curves(history: Sequence[Json]) -> list[Html]:
    if len(history) < FEWEST:
        return []
    drawn = [_chart(history, LOSSES, "Loss by epoch")]
    if any(row.get("auroc") is not None for row in history):
        drawn.append(_chart(history, {"auroc": "validation AUROC"}, "AUROC by epoch"))
    return [element("div", *drawn, class_="charts")]


def _chart(history: Sequence[Json], columns: Mapping[str, str], title: str) -> Html:
    series = {
        name: [(i, row[name]) for i, row in enumerate(history, 1) if row.get(name) is not None]
        for name in columns
    }
    values = [value for points in series.values() for _, value in points]
    low, high = _range(values, ceiling=1.0 if "auroc" in columns else None)
    step = max(1, len(history) // 8)
    axes = chart.Axes(
        (1, len(history)), (low, high), [(i, str(i)) for i in range(1, len(history) + 1, step)],
        chart.even_ticks(low, high), "Epoch", title.split()[0],
    )  # fmt: skip
    marks = [
        mark
        for i, points in enumerate(series.values())
        for mark in (
            chart.line(axes, points, f"s{i}"),
            *(chart.dot(axes, *point, f"s{i}") for point in points),
        )
    ]
    legend = [(f"s{i}", text) for i, text in enumerate(columns.values())]
    last = ", ".join(
        f"{text} ends at {_number(series[name][-1][1])}"
        for name, text in columns.items()
        if series[name]
    )
    return chart.chart(axes, marks, title=title, alt=f"{title}: {last}.", legend=legend)


def _range(values: Sequence[float], ceiling: float | None) -> tuple[float, float]:
    """With a little room; the same figure throughout still has a range."""
    low, high = min(values), max(values)
    room = 0.08 * (high - low) or 0.05
    top = high + room if ceiling is None else min(high + room, ceiling)
    return max(low - room, 0.0), top


def _name(column: str) -> str:
    text = NAMES.get(column, column.replace("_", " "))
    return f"{text[:1].upper()}{text[1:]}"


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.4f}" if abs(value) < 10 else f"{value:,.1f}"


def _told(settings: Json) -> Json:
    """Those that were set."""
    return {name: value for name, value in settings.items() if value not in (None, "", [])}
