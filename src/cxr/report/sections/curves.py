"""ROC and precision-recall curves, and how the stated probabilities spread."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..._io.html import Html, element
from ..._io.text import figure_text, images_of_patients
from .. import chart

MOST = 7  # curves in a chart; more cannot be told apart
Json = Mapping[str, Any]


def render(split: Json) -> Html | None:
    metrics, drawn = split["metrics"], split["curves"]
    charts = []
    if drawn["roc"]:
        charts += [
            _roc(drawn["roc"], metrics),
            _precision_recall(drawn["precision_recall"], metrics),
        ]
    charts += [_scores(drawn["scores"], metrics), _reading(drawn)]
    return element("div", *charts, class_="charts")


def _roc(curves: list[Json], metrics: Json) -> Html:
    axes = chart.unit_square("1 \N{MINUS SIGN} specificity", "Sensitivity")
    marks = [chart.line(axes, [(0, 0), (1, 1)], "guess")]
    legend = [
        (f"s{i}", f"{one['name']}: {figure_text(_of(metrics, one['name'])['auroc'])}")
        for i, one in enumerate(curves[:MOST])
    ]
    for i, one in enumerate(curves[:MOST]):
        if "band" in one:
            marks.append(chart.band(axes, *(one["band"][key] for key in ("x", "low", "high"))))
            legend.append(("band", "95% interval"))
        marks.append(chart.line(axes, zip(one["x"], one["y"], strict=True), f"s{i}"))
    found, cleared = metrics["sensitivity"]["value"], metrics["specificity"]["value"]
    if metrics["positive"] is not None and None not in (found, cleared):
        marks.append(chart.dot(axes, 1 - cleared, found, "point"))
        legend.append(("point", f"threshold {metrics['threshold']:.3g}"))
    legend.append(("guess", "guessing"))
    return chart.chart(
        axes, marks, title="ROC curve",
        alt=f"ROC curve. AUROC {_summary(curves, metrics, 'auroc')}", legend=legend,
        note=_note(curves, metrics),
    )  # fmt: skip


def _precision_recall(curves: list[Json], metrics: Json) -> Html:
    axes = chart.unit_square("Recall (sensitivity)", "Precision (PPV)")
    marks, legend = [], []
    for i, one in enumerate(curves[:MOST]):
        points = zip(one["recall"], one["precision"], strict=True)
        marks.append(chart.line(axes, points, f"s{i}"))
        area = figure_text(_of(metrics, one["name"])["auprc"])
        legend.append((f"s{i}", f"{one['name']}: {area}"))
    if len(curves) == 1:
        share = curves[0]["prevalence"]
        marks.insert(0, chart.line(axes, [(0, share), (1, share)], "guess"))
        legend.append(("guess", f"guessing: the prevalence, {share:.2f}"))
    return chart.chart(
        axes, marks, title="Precision and recall",
        alt=f"Precision-recall curve. AUPRC {_summary(curves, metrics, 'auprc')}", legend=legend,
        note=_note(curves, metrics),
    )  # fmt: skip


def _scores(scores: Json, metrics: Json) -> Html:
    """The two kinds of image on both sides of one line, so that neither hides the other."""
    edges, kinds = scores["edges"], (scores["with"], scores["without"])
    most = max(max(kind) for kind in kinds) or 1
    up = chart.even_ticks(0, 1.05 * most, 3)
    ticks = [*up, *((-value, text) for value, text in up[1:])]
    axes = chart.Axes(
        (0, 1), (-1.05 * most, 1.05 * most), chart.UNIT, ticks,
        f"Stated probability of {scores['name']}", "Labels" if metrics["multi_label"] else "Images",
    )  # fmt: skip
    marks = [
        chart.block(axes, (edges[i], edges[i + 1]), (0, sign * count), name)
        for sign, kind, name in ((1, kinds[0], "s1"), (-1, kinds[1], "s0"))
        for i, count in enumerate(kind)
        if count
    ]
    names = [
        f"{name}, n = {sum(kind):,}" for name, kind in zip(scores["names"], kinds, strict=True)
    ]
    legend = [("s1", names[0]), ("s0", names[1])]
    if isinstance(metrics["threshold"], float):
        at = metrics["threshold"]
        marks.append(chart.line(axes, [(at, axes.y[0]), (at, axes.y[1])], "rule"))
        legend.append(("rule", f"threshold {at:.3g}"))
    return chart.chart(
        axes, marks, title="Stated probabilities",
        alt=f"Histogram of stated probabilities: {'; '.join(names)}.", legend=legend,
    )  # fmt: skip


def _reading(drawn: Json) -> Html:
    """How to read the charts beside it."""
    lines = [
        "Stated probabilities: the farther the two kinds of image lie apart, the less the "
        "threshold matters.",
    ]
    if drawn["roc"]:
        lines.insert(
            0,
            "ROC curve: how many cases are found (up) at the price of how many false alarms "
            "(right), over all thresholds. Precision and recall: how far a positive answer can be "
            "trusted (up) when so many cases are to be found (right).",
        )
    return element("div", *(element("p", line) for line in lines), class_="beside")


def _of(metrics: Json, name: str) -> Json:
    return metrics["per_class"][name] if "per_class" in metrics else metrics


def _summary(curves: list[Json], metrics: Json, figure: str) -> str:
    told = (f"{one['name']} {figure_text(_of(metrics, one['name'])[figure])}" for one in curves)
    return f"{', '.join(told)}; {images_of_patients(metrics)}."


def _note(curves: list[Json], metrics: Json) -> str:
    hidden = len(curves) - MOST
    return f"{hidden} more classes are in the table and in report.json." if hidden > 0 else ""
