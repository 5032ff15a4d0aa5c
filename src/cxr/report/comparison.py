"""A comparison of two models in plain sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .labels import label


def comparison_sentences(result: Mapping[str, Any]) -> list[str]:
    """One line each, from what `compare_models` returns; A is the first model, B the second."""
    return [
        _images(result),
        *(_difference(label(name), figure) for name, figure in result["difference"].items()),
        *_tests(result),
        result["about"]["research_use_only"],
    ]


def _images(result: Mapping[str, Any]) -> str:
    patients, whose = result["n_patients"], "of unknown patients, so each counts as its own"
    if isinstance(patients, int):
        whose = f"of {patients:,} patients"
    a, b = (result[model]["predictions"] for model in "ab")
    return f"A is {a}, B is {b}: the same {result['n']:,} images {whose}."


def _difference(name: str, figure: Mapping[str, Any]) -> str:
    if figure["value"] is None:
        return f"{name}: not compared ({figure['reason']})."
    both = f"{name}: A {figure['a']:.4f}, B {figure['b']:.4f}, B minus A {figure['value']:+.4f}"
    n = f"n={figure['n']:,}"
    if "low" not in figure:
        return f"{both} ({figure['reason']}; {n})."
    low, high = figure["low"], figure["high"]
    better = "A" if high < 0 else "B"
    verdict = f"{better} is better" if low > 0 or high < 0 else "no difference is shown"
    return f"{both} (95% interval {low:+.4f} to {high:+.4f}, {n}): {verdict}."


def _tests(result: Mapping[str, Any]) -> Iterator[str]:
    delong, mcnemar = result["delong"], result["mcnemar"]
    if "p_value" in delong:
        interval = f"95% interval {delong['low']:+.4f} to {delong['high']:+.4f}"
        yield f"DeLong's test of the AUROC: {p_value(delong['p_value'])} ({interval})."
    else:
        yield f"DeLong's test of the AUROC: none ({delong['reason']})."
    yield (
        f"McNemar's exact test of the decisions: {p_value(mcnemar['p_value'])} "
        f"({mcnemar['only_a_right']:,} images that only A decides rightly, "
        f"{mcnemar['only_b_right']:,} only B)."
    )
    yield "Both tests take images as independent; the intervals above them do not."


def p_value(p: float) -> str:
    return "p < 0.0001" if p < 1e-4 else f"p = {p:.4f}"
