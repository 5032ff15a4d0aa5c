"""The four figures that matter most, with their intervals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..._io.html import Html, Scale, bar, element
from ..tables import MEANING

BINARY = ("auroc", "sensitivity", "specificity", "accuracy")
OTHER = ("auroc", "auprc", "accuracy", "balanced_accuracy")


def render(metrics: Mapping[str, Any]) -> Html:
    names = BINARY if metrics["positive"] is not None else OTHER
    return element("dl", *(_tile(name, metrics[name]) for name in names), class_="tiles")


def _tile(name: str, figure: Mapping[str, Any]) -> Html:
    label, meaning = MEANING[name]
    if figure["value"] is None:
        drawn = [element("dd", "undefined", class_="big"), element("dd", figure["reason"])]
        return element("div", element("dt", label), *drawn)
    chance = 0.5 if name == "auroc" else None
    scale = Scale(0.5 if name == "auroc" else 0.0, 1.0, chance)
    known = "low" in figure
    span = f"{figure['low']:.3f} to {figure['high']:.3f}" if known else figure["reason"]
    return element(
        "div",
        element("dt", label),
        element("dd", f"{figure['value']:.3f}", class_="big"),
        element("dd", bar(figure, scale), span),
        element("dd", meaning, class_="soft"),
    )
