"""The figures of a model card: as tables, and as Hugging Face's `model-index`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .._io.markdown import code, one_line, plain, table
from .._io.text import figure_text, images_of_patients
from ..bundle.card import MOST_CLASSES, CardFigures
from .labels import METRICS
from .sentences import images_of_split, split_name
from .set_aside import against_validation, shared_patients

Metrics = Mapping[str, Any]
# metrics.json's name -> the card's, and the Hub's identifier where it has that metric
SHOWN = (
    "auroc", "auprc", "accuracy", "balanced_accuracy", "sensitivity", "specificity", "ppv", "npv",
    "f1", "mcc", "brier", "log_loss", "ece", "calibration_slope", "calibration_intercept",
)  # fmt: skip
BY_CLASS = ("auroc", "auprc", "sensitivity", "specificity")
CHOSEN_ON = (
    "These images chose the epoch, the temperature and, with two classes, the threshold: expect "
    "somewhat lower figures on new ones. They are of the same data set as the training images."
)


def card_figures(
    metrics: Metrics, split: str = "valid", valid: Metrics | None = None
) -> CardFigures:
    """For a model card, of one split's part of `metrics.json`; `split` is its name.

    `valid`: the validation part, to stand beside test images that were set aside.
    """
    beside = ""
    if split == "test" and valid is not None and "validation_minus_test" in metrics:
        known = [shared_patients(metrics), against_validation(metrics, valid)]
        beside = " ".join(one for one in known if one)
    split = split_name(split)
    if not any(_defined(metrics)):
        return CardFigures()
    return CardFigures(
        summary=" ".join(one for one in (_summary(metrics, split), beside) if one),
        evaluation=_evaluation(metrics, split, beside),
        calibration=_calibration(metrics),
        operating_point=_operating_point(metrics),
        front_matter=_front_matter(metrics, split),
    )


def _summary(metrics: Metrics, split: str) -> str:
    if all(name != "auroc" for name, _ in _defined(metrics)):
        return ""
    auroc = _with_interval(metrics["auroc"])
    return f"On {_size(metrics, split)} its AUROC is {auroc}."


def _size(metrics: Metrics, split: str) -> str:
    if "set_aside" in metrics:
        return f"{images_of_split(split, metrics)},"
    return f"{images_of_patients({'n': 0, **metrics})} of the {split} part"


def _evaluation(metrics: Metrics, split: str, beside: str) -> str:
    method = metrics.get("intervals", {}).get("method")
    parts = [
        f"On {_size(metrics, split)} of the run's data.",
        CHOSEN_ON if split == "validation" else beside,
        _figures_table(metrics),
        _class_table(metrics),
        f"Intervals: {plain(method)}." if method else "",
    ]
    return "\n\n".join(part for part in parts if part)


def _calibration(metrics: Metrics) -> str:
    scaled = metrics.get("calibration")
    if not (isinstance(scaled, Mapping) and "before" in scaled and "after" in scaled):
        return ""
    rows = [
        (label, *(_with_interval(scaled[when].get(name, {})) for when in ("before", "after")))
        for label, name in (("expected calibration error", "ece"), ("Brier score", "brier"))
    ]
    after = "after, cross-fitted" if scaled.get("crossfitted", True) else "after"
    return table(("figure", "before", after), rows)


def _operating_point(metrics: Metrics) -> str:
    point = metrics.get("operating_point") or {}
    rule = point.get("rule") and f"Chosen on validation images by the rule {code(point['rule'])}."
    return "\n\n".join(one for one in (rule, plain(point.get("sentence", ""))) if one)


def _defined(metrics: Metrics) -> Iterator[tuple[str, Metrics]]:
    """The figures that have a value, in the card's order."""
    for name in SHOWN:
        figure = metrics.get(name)
        if isinstance(figure, Mapping) and figure.get("value") is not None:
            yield name, figure


def _figures_table(metrics: Metrics) -> str:
    rows = [(METRICS[name].long, *_cells(figure)) for name, figure in _defined(metrics)]
    return table(("figure", "value", f"{_level(metrics)} interval", "n"), rows)


def _class_table(metrics: Metrics) -> str:
    """One row a class, where each class has figures of its own."""
    by_class = dict(list(metrics.get("per_class", {}).items())[:MOST_CLASSES])
    rows = [
        (plain(name), *(_with_interval(figures.get(one, {})) for one in BY_CLASS))
        for name, figures in by_class.items()
    ]
    return table(("class", *(METRICS[one].long for one in BY_CLASS)), rows)


def _cells(figure: Metrics) -> tuple[str, str, str]:
    """Value, interval, n."""
    value = f"{figure['value']:.3f}"
    if "low" in figure:
        interval = f"{figure['low']:.3f} to {figure['high']:.3f}"
    else:
        interval = plain(figure.get("reason", "none"))
    if "n" in figure:
        return value, interval, f"{figure['n']:,}"
    return value, interval, f"mean of {figure['classes']} classes" if "classes" in figure else ""


def _with_interval(figure: Metrics) -> str:
    """`0.967 (0.952 to 0.979)`, or why there is no figure."""
    if figure.get("value") is None:
        return plain(figure.get("reason", "not measured"))
    return figure_text(figure)


def _front_matter(metrics: Metrics, split: str) -> dict[str, Any]:
    """Results as the Hub reads them; an interval and n stand in a metric's name."""
    results = [
        {"type": METRICS[one].hub, "name": _name(one, figure, metrics), "value": _short(figure)}
        for one, figure in _defined(metrics)
    ]
    result = {
        "task": {"type": "image-classification", "name": "Image classification"},
        "dataset": {"type": "custom", "name": f"The run's own {split} images", "split": split},
        "metrics": results,
    }
    index = [{"name": "chest-x-ray-classifier", "results": [result]}]
    return {"metrics": [one["type"] for one in results], "model-index": index}


def _name(one: str, figure: Metrics, metrics: Metrics) -> str:
    name = METRICS[one].long
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
