"""The report's tables of figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._io.html import Html, table, unbroken
from .._io.text import figure_text

Metrics = Mapping[str, Any]
MEANING = {
    "auroc": ("AUROC", "how often an image with the finding outscores one without; 0.5 is chance"),
    "auprc": ("AUPRC", "average precision over all thresholds; chance is the prevalence"),
    "sensitivity": ("Sensitivity", "found among images with the finding"),
    "specificity": ("Specificity", "cleared among images without the finding"),
    "ppv": ("PPV", "right among positive answers"),
    "npv": ("NPV", "right among negative answers"),
    "ppv_at_prevalence": ("PPV elsewhere", "where the finding is as common as was stated"),
    "npv_at_prevalence": ("NPV elsewhere", "where the finding is as common as was stated"),
    "f1": ("F1", "harmonic mean of sensitivity and PPV"),
    "accuracy": ("Accuracy", "right among all images"),
    "error_rate": ("Error rate", "wrong among all images"),
    "balanced_accuracy": ("Balanced accuracy", "accuracy with every class weighing the same"),
    "mcc": ("MCC", "correlation of answer and truth, -1 to 1; 0 is chance"),
    "brier": ("Brier score", "squared error of the probabilities; 0 is perfect"),
    "ece": ("ECE", "gap between stated probability and observed frequency; 0 is perfect"),
    "log_loss": ("Log loss", "cross-entropy in nats; 0 is perfect"),
    "calibration_slope": (
        "Calibration slope",
        "1 is right; below, the probabilities are too extreme, above, too timid",
    ),
    "calibration_intercept": (
        "Calibration intercept",
        "0 is right; above, findings are foretold too seldom, below, too often (log-odds)",
    ),
    "prevalence": ("Prevalence", "images with the finding among all"),
}
BY_REQUEST = ("ppv_at_prevalence", "npv_at_prevalence")
BY_CLASS = ("prevalence", "auroc", "auprc", "sensitivity", "specificity", "ppv", "npv")


def figures_table(metrics: Metrics) -> Html:
    """Every figure of a split; with several classes these are means over the classes or overall."""
    rows = []
    for name, (label, meaning) in MEANING.items():
        if name in BY_REQUEST and name not in metrics:
            continue
        figure = metrics[name]
        if name == "prevalence" and figure["value"] is None:
            continue
        if name in BY_REQUEST:
            meaning = f"{meaning}: {metrics['stated_prevalence']:.3g}"
        rows.append((label, *_cells(figure), meaning))
    header = ("Figure", "Value", "95% interval", "n", "What it says")
    return table(header, rows, "All figures")


def class_table(metrics: Metrics) -> Html:
    """One row a class, one against the rest."""
    rows = [
        (name, *(figure_text(figures[one], digits=2) for one in BY_CLASS))
        for name, figures in metrics["per_class"].items()
    ]
    header = ("Class", *(MEANING[one][0] for one in BY_CLASS))
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
