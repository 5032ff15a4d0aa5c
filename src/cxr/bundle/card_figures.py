"""The figures of a model card: as rows of a table, and as front matter for the Hugging Face Hub."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from .._io.markdown import one_line, plain, table
from .._io.text import figure_text
from ..errors import UsageError

Metrics = Mapping[str, Any]
# metrics.json's name -> the card's, and the Hub's identifier where it has that metric
FIGURES = {
    "auroc": ("AUROC", "roc_auc"),
    "auprc": ("AUPRC (average precision)", "average_precision"),
    "accuracy": ("Accuracy", "accuracy"),
    "balanced_accuracy": ("Balanced accuracy", "balanced_accuracy"),
    "sensitivity": ("Sensitivity", "recall"),
    "specificity": ("Specificity", "specificity"),
    "ppv": ("Positive predictive value", "precision"),
    "npv": ("Negative predictive value", "npv"),
    "f1": ("F1", "f1"),
    "mcc": ("Matthews correlation", "matthews_correlation"),
    "brier": ("Brier score", "brier_score"),
    "log_loss": ("Log loss, nats", "log_loss"),
    "ece": ("Expected calibration error", "expected_calibration_error"),
    "calibration_slope": ("Calibration slope", "calibration_slope"),
    "calibration_intercept": ("Calibration intercept", "calibration_intercept"),
}
BY_CLASS = ("auroc", "auprc", "sensitivity", "specificity")
MOST_CLASSES = 30
PER = 1000
TAGS = ["chest-x-ray", "radiology", "medical-imaging", "transfer-learning", "research-use-only"]
LICENSE = re.compile(r"[a-z0-9][a-z0-9.+-]*")
RULER = "---"


def defined(metrics: Metrics) -> Iterator[tuple[str, Metrics]]:
    """The figures that have a value, in the card's order."""
    for name in FIGURES:
        figure = metrics.get(name)
        if isinstance(figure, Mapping) and figure.get("value") is not None:
            yield name, figure


def figures_table(metrics: Metrics) -> str:
    rows = [(FIGURES[name][0], *cells(figure)) for name, figure in defined(metrics)]
    return table(("figure", "value", f"{_level(metrics)} interval", "n"), rows)


def class_table(metrics: Metrics) -> str:
    """One row a class, where each class has figures of its own."""
    by_class = dict(list(metrics.get("per_class", {}).items())[:MOST_CLASSES])
    rows = [
        (plain(name), *(with_interval(figures.get(one, {})) for one in BY_CLASS))
        for name, figures in by_class.items()
    ]
    return table(("class", *(FIGURES[one][0] for one in BY_CLASS)), rows)


def cells(figure: Metrics) -> tuple[str, str, str]:
    """Value, interval, n."""
    value = f"{figure['value']:.3f}"
    if "low" in figure:
        interval = f"{figure['low']:.3f} to {figure['high']:.3f}"
    else:
        interval = plain(figure.get("reason", "none"))
    if "n" in figure:
        return value, interval, f"{figure['n']:,}"
    return value, interval, f"mean of {figure['classes']} classes" if "classes" in figure else ""


def with_interval(figure: Metrics) -> str:
    """`0.967 (0.952 to 0.979)`, or why there is no figure."""
    if figure.get("value") is None:
        return plain(figure.get("reason", "not measured"))
    return figure_text(figure)


def in_patients(metrics: Metrics, ill: int = 200) -> str:
    """What the operating point means for 1,000 patients; "" where it is not known."""
    found, cleared = metrics.get("sensitivity", {}), metrics.get("specificity", {})
    positive = metrics.get("positive")
    if positive is None or found.get("value") is None or cleared.get("value") is None:
        return ""
    return (
        f"Of {PER:,} patients with one image each, {ill} of them with {plain(positive)}: "
        f"{_lost(ill, found)} would be missed, and {_lost(PER - ill, cleared)} of the "
        f"{PER - ill} without it called positive."
    )


def _lost(of: int, figure: Metrics) -> str:
    lost = f"{round(of * (1 - figure['value']))}"
    if "low" not in figure:
        return lost
    return f"{lost} ({round(of * (1 - figure['high']))} to {round(of * (1 - figure['low']))})"


def model_index(name: str, metrics: Metrics, split: str) -> list[dict[str, Any]]:
    """Results as the Hub reads them; an interval and n stand in a metric's name."""
    results = [
        {"type": FIGURES[one][1], "name": _name(one, figure, metrics), "value": _short(figure)}
        for one, figure in defined(metrics)
    ]
    if not results:
        return []
    result = {
        "task": {"type": "image-classification", "name": "Image classification"},
        "dataset": {"type": "custom", "name": f"The run's own {split} images", "split": split},
        "metrics": results,
    }
    return [{"name": name, "results": [result]}]


def _name(one: str, figure: Metrics, metrics: Metrics) -> str:
    name = FIGURES[one][0]
    if metrics.get("positive") is not None and one in ("sensitivity", "ppv"):
        name = f"{name} ({one_line(metrics['positive'])})"
    facts = []
    if "low" in figure:
        facts.append(f"{_level(metrics)} interval {figure['low']:.4f} to {figure['high']:.4f}")
    if "n" in figure:
        facts.append(f"n = {figure['n']}")
    return f"{name}, {', '.join(facts)}" if facts else name


def _short(figure: Metrics) -> float:
    return round(float(figure["value"]), 4)


def _level(metrics: Metrics) -> str:
    return f"{metrics.get('intervals', {}).get('level', 0.95):.0%}"


def front_matter(metrics: Metrics, split: str, license: str | None) -> str:
    """YAML between two rulers. A licence that nobody stated is left out, as the Hub allows."""
    if license is not None and not LICENSE.fullmatch(license):
        raise UsageError(
            f"license {license!r} is no identifier; one such as apache-2.0, cc-by-4.0 or other is "
            "needed"
        )
    index = model_index("chest-x-ray-classifier", metrics, split)
    facts: dict[str, Any] = {} if license is None else {"license": license}
    facts |= {"library_name": "cxr", "pipeline_tag": "image-classification", "tags": TAGS}
    if index:
        measured = index[0]["results"][0]["metrics"]
        facts |= {"metrics": [one["type"] for one in measured], "model-index": index}
    text = yaml.safe_dump(facts, sort_keys=False, allow_unicode=True, width=1000)
    return f"{RULER}\n{text}{RULER}"
