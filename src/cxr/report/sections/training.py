"""How the training went, epoch by epoch, and with which settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..._io.html import Html, element, join, table
from ..content import Report
from ..labels import label
from ..tables import facts_table
from .curves import chart

Json = Mapping[str, Any]
CHARTS = {"history-loss": "Loss by epoch", "history-auroc": "AUROC by epoch"}
LONGEST = 30  # epochs in the table; all are in history.csv
NAMES = {"auroc": label("auroc"), "train_loss": "training loss", "valid_loss": "validation loss"}


def render(report: Report) -> Html | None:
    history, facts, settings = (
        report.result("history"), report.data["facts"], report.result("settings")
    )  # fmt: skip
    parts = []
    if facts:
        parts += [element("h3", "The model"), facts_table(facts, "The model")]
    if history:
        parts += [
            element("h3", "Epoch by epoch"),
            *_curves(history, report.charts),
            _table(history),
        ]
    if settings:
        parts += [element("h3", "All settings"), facts_table(_given(settings), "All settings")]
    return join(parts) if parts else None


def _table(history: Sequence[Json]) -> Html:
    names = [name for name in history[0] if name not in ("phase", "epoch")]
    header = ("Epoch", *(_name(name) for name in names))
    rows = [
        (str(number), *(_number(row.get(name)) for name in names))
        for number, row in enumerate(history, 1)
    ]
    return table(header, rows[-LONGEST:], "Training history")


def _curves(history: Sequence[Json], charts: Mapping[str, Html]) -> list[Html]:
    drawn = [
        chart(charts, key, title, _ends(history)) for key, title in CHARTS.items() if key in charts
    ]
    return [element("div", *drawn, class_="charts")] if drawn else []


def _ends(history: Sequence[Json]) -> str:
    last = history[-1]
    ends = (f"{text} {_number(last[name])}" for name, text in NAMES.items() if name in last)
    return f"After {len(history)} epochs: {', '.join(ends)}."


def _name(column: str) -> str:
    text = NAMES.get(column, column.replace("_", " "))
    return f"{text[:1].upper()}{text[1:]}"


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.4f}" if abs(value) < 10 else f"{value:,.1f}"


def _given(settings: Json) -> Json:
    """Those that were set."""
    return {name: value for name, value in settings.items() if value not in (None, "", [])}
