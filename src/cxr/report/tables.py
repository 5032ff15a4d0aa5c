"""The report's tables of figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._io.html import Html, table, unbroken
from .._io.text import figure_text
from .labels import METRICS

Metrics = Mapping[str, Any]
BY_REQUEST = ("ppv_at_prevalence", "npv_at_prevalence")
BY_CLASS = ("prevalence", "auroc", "auprc", "sensitivity", "specificity", "ppv", "npv")


def figures_table(metrics: Metrics) -> Html:
    """Every figure of a split; with several classes these are means over the classes or overall."""
    rows = []
    for name, known in METRICS.items():
        if name in BY_REQUEST and name not in metrics:
            continue
        figure, meaning = metrics[name], known.meaning
        if name == "prevalence" and figure["value"] is None:
            continue
        if name in BY_REQUEST:
            meaning = f"{meaning}: {metrics['stated_prevalence']:.3g}"
        rows.append((known.short, *_cells(figure), meaning))
    header = ("Figure", "Value", "95% interval", "n", "What it says")
    return table(header, rows, "All figures")


def class_table(metrics: Metrics) -> Html:
    """One row a class, one against the rest."""
    rows = [
        (name, *(figure_text(figures[one], digits=2) for one in BY_CLASS))
        for name, figures in metrics["per_class"].items()
    ]
    header = ("Class", *(METRICS[one].short for one in BY_CLASS))
    return table(header, rows, "Figures by class")


def facts_table(facts: Mapping[str, Any], label: str) -> Html:
    rows = [(str(name).replace("_", " "), _plain(value)) for name, value in facts.items()]
    return table(("Fact", "Value"), rows, label, "pairs")


def _cells(figure: Metrics) -> tuple[str, str, str]:
    if figure["value"] is None:
        return "undefined", figure["reason"], ""
    if "low" in figure:
        interval = unbroken(f"{figure['low']:.3f} to {figure['high']:.3f}")
    else:
        interval = figure["reason"]
    count = f"{figure['n']:,}" if "n" in figure else f"mean of {figure['classes']} classes"
    return f"{figure['value']:.3f}", interval, unbroken(count)


def _plain(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_plain, value))
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {_plain(one)}" for key, one in value.items())
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value)
