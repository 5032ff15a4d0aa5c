"""What was stated against what was seen, before scaling and after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..._io.html import Html, element, join, remark, table
from ..._io.text import figure_text
from .. import chart

Json = Mapping[str, Any]
FIGURES = {"ece": "ECE", "brier": "Brier score", "log_loss": "Log loss"}
KINDS = {"temperature": "one temperature", "vector": "a scale and a shift for each class"}


def render(split: Json) -> Html | None:
    metrics, drawn = split["metrics"], split["curves"]["reliability"]
    scaled = metrics.get("calibration")
    if not scaled or scaled.get("kind") == "none":
        ece = f"ECE {figure_text(metrics['ece'])}"
        only = _diagram(drawn["name"], drawn["bins"], "Stated and seen", ece)
        return element("div", only, _words(metrics), class_="charts")
    pair = [
        _diagram(drawn["name"], scaled[f"bins_{when}"], title, _ece(scaled[when]))
        for when, title in (("before", "Before scaling"), ("after", "After scaling"))
    ]
    return join([_how(scaled), element("div", *pair, class_="charts"), _table(scaled)])


def _words(metrics: Json) -> Html:
    """Beside the diagram: how to read it, and the two figures of recalibration."""
    lines = [
        "Points on the dotted line: where 80% is stated, 80% is seen. Above it the model is too "
        "timid, below it too bold. Bars at the foot: how many images each point stands for.",
    ]
    for name, right in (("calibration_slope", 1), ("calibration_intercept", 0)):
        if (figure := metrics.get(name)) is not None:
            label = name.replace("_", " ").capitalize()
            lines.append(f"{label} {figure_text(figure)}; {right} is right.")
    return element("div", *(element("p", line) for line in lines), class_="beside")


def _how(scaled: Json) -> Html:
    how = KINDS.get(scaled["kind"], scaled["kind"])
    folds = f", in {scaled['folds']} folds by patient" if scaled.get("crossfitted") else ""
    honest = (
        "so no image was scaled by a fit that had seen it"
        if scaled.get("crossfitted")
        else "on these very images, so the figures after it are a little too good"
    )
    return element("p", f"Probabilities were scaled by {how}{folds}, {honest}.")


def _ece(figures: Json) -> str:
    return f"ECE {figure_text(figures['ece'])}"


def _table(scaled: Json) -> Html:
    rows = [
        (label, *(figure_text(scaled[when][name]) for when in ("before", "after")))
        for name, label in FIGURES.items()
        if name in scaled["before"] and name in scaled["after"]
    ]
    return join(
        [
            table(("Figure", "Before", "After"), rows, "Calibration before and after scaling"),
            remark(f"Lower is better; in brackets 95% intervals.{_by_chance(scaled)}"),
        ]
    )


def _by_chance(scaled: Json) -> str:
    chance = scaled.get("ece_by_chance")
    if chance is None:
        return ""
    return f" With so few images an ECE of {chance:.3f} is seen where every probability is right."


def _diagram(name: str, bins: Sequence[Json], title: str, ece: str) -> Html:
    axes = chart.unit_square(f"Stated probability of {name}", "Seen")
    seen = [one for one in bins if one["n"]]
    most = max((one["n"] for one in seen), default=1)
    marks = [chart.line(axes, [(0, 0), (1, 1)], "guess")]
    marks += [
        chart.block(
            axes,
            (one["stated"] - 0.015, one["stated"] + 0.015),
            (0, 0.15 * one["n"] / most),
            "foot",
        )
        for one in seen
    ]
    marks += [chart.whisker(axes, one["stated"], one["low"], one["high"], "s0") for one in seen]
    marks.append(chart.line(axes, [(one["stated"], one["seen"]) for one in seen], "s0"))
    marks += [chart.dot(axes, one["stated"], one["seen"], "s0") for one in seen]
    points = ", ".join(f"{one['stated']:.2f} seen {one['seen']:.2f}" for one in seen)
    return chart.chart(
        axes, marks, title=f"{title}: {ece}", alt=f"Reliability diagram. Stated {points}.",
        legend=[("s0", "this model, 95% interval of images"), ("guess", "perfect")],
    )  # fmt: skip
