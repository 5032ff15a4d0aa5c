"""How far the figures of one set lie above those of another, of other images and patients."""

from __future__ import annotations

from collections.abc import Mapping
from math import hypot
from typing import Any

from ..schema import Figure, undefined

COMPARED = ("auroc", "accuracy", "sensitivity", "specificity")


def differences(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, Figure]:
    """Of two splits of `metrics.json`, `a` minus `b`: AUROC and what is right at the threshold."""
    return {name: difference(a[name], b[name]) for name in COMPARED if name in a and name in b}


def difference(a: Figure, b: Figure) -> Figure:
    """`a` minus `b`, figures of independent images; no `n`, as there are two.

    The interval is of the two figures' own, which hold near the limits where a bootstrap of the
    difference covers too little: the distances of the two ends are added as squares (Newcombe,
    Statistics in Medicine 1998, method 10; Zou and Donner, the same 2008, for any figures).
    """
    for figure in (a, b):
        if figure["value"] is None:
            return undefined(figure["reason"])
    value = a["value"] - b["value"]
    if "low" not in a or "low" not in b:
        return {"value": value, "reason": "no interval: one of the two figures has none"}
    below = hypot(a["value"] - a["low"], b["high"] - b["value"])
    above = hypot(a["high"] - a["value"], b["value"] - b["low"])
    return {"value": value, "low": value - below, "high": value + above}
