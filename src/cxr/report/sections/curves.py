"""The charts of one split with the words beside them: ranking, calibration, decision curve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..._io.html import Html, element, join, remark, table
from ..._io.text import figure_text, images_of_patients, listed, percent
from ..figures.rank_curves import class_metrics
from ..strength import too_few

Json = Mapping[str, Any]
Charts = Mapping[str, Html]  # those of the split, by the names of figures/
COMPARED = {"ece": "ECE", "brier": "Brier score", "log_loss": "Log loss"}
KINDS = {"temperature": "one temperature", "vector": "a scale and a shift for each class"}


def chart(charts: Charts, name: str, title: str, alt: str) -> Html:
    """A figure of the page; `alt` says what it shows."""
    start = element("svg", role="img", aria_label=alt).removesuffix("></svg>")
    described = Html(charts[name].replace("<svg", start, 1))
    return element("figure", element("figcaption", title), described, class_="chart")


def ranking(split: Json, charts: Charts) -> Html:
    """ROC and precision-recall curves, and the histogram of probabilities."""
    metrics, points = split["metrics"], split["curves"]
    shown, lines = [], []
    if points["roc"]:
        shown += [
            chart(charts, "roc", "ROC curve", f"ROC curve. {_areas(points, metrics, 'auroc')}"),
            chart(
                charts,
                "precision_recall",
                "Precision and recall",
                f"Precision-recall curve. {_areas(points, metrics, 'auprc')}",
            ),
        ]
        lines.append(
            "ROC curve: the share of cases that is found (up) against the share of false alarms "
            "(right), over all thresholds. Precision and recall: how many positive answers are "
            "right (up) when so many cases are found (right)."
        )
    lines.append(
        "Predicted probabilities: the farther the two histograms lie apart, the less the threshold "
        "matters."
    )
    names = " and ".join(points["scores"]["names"])
    histogram = f"Histograms of predicted probabilities of images: {names}."
    shown.append(chart(charts, "scores", "Predicted probabilities", histogram))
    return element("div", *shown, _beside(lines), class_="charts")


def calibration(split: Json, charts: Charts) -> Html:
    """Predicted probability against observed frequency, before scaling and after."""
    metrics = split["metrics"]
    scaled = metrics.get("calibration")
    if not scaled or scaled.get("kind") == "none":
        drawn = chart(charts, "reliability", "Reliability diagram", _reliability(split))
        return element("div", drawn, _reading(metrics), class_="charts")
    drawn = chart(charts, "calibration", "Before and after scaling", _reliability(split))
    return join(
        [_how(scaled), element("div", drawn, _reading(metrics), class_="charts"), _table(scaled)]
    )


def decision(split: Json, charts: Charts) -> Html | None:
    """The decision curve (Vickers and Elkin, 2006): net benefit at each possible threshold."""
    curve = split["metrics"].get("decision_curve")
    if not curve or not curve.get("thresholds"):
        return None
    verdict = _gain(curve, too_few(split["patients_by_class"]))
    stated = "as stated" if curve["prevalence_stated"] else "as here"
    how = (
        "Net benefit counts found cases, less false alarms weighed by the threshold: acting at 0.2 "
        "means that one missed case is as bad as four false alarms. It holds where "
        f"{percent(curve['prevalence'])} have {curve['positive']}, {stated}."
    )
    alt = f"Decision curve of {curve['positive']}, {curve['n']:,} images."
    drawn = chart(charts, "decision_curve", "Decision curve", alt)
    words = element("div", element("p", verdict, class_="key"), element("p", how), class_="beside")
    return element("div", drawn, words, class_="charts")


def _gain(curve: Json, few: str) -> str:
    """Where the lower figure lies above 0, interval and all."""
    better = [one["value"] is not None and one.get("low", 0) > 0 for one in curve["gain"]]
    if few:
        return f"{few[0].upper()}{few[1:]}: too few to say whether acting on the model is better."
    if not any(better):
        return (
            "At no threshold is the model shown to be better than the better of acting on everyone "
            "and on no one."
        )
    at = curve["thresholds"]
    spans = [f"{at[first]:.2f} to {at[last]:.2f}" for first, last in _runs(better)]
    return (
        "On these images acting on the model is better than the better of acting on everyone and "
        f"on no one at thresholds from {listed(spans)}: there the gain, with its whole 95% "
        "interval, lies above 0 in the lower figure."
    )


def _runs(flags: Sequence[bool]) -> list[tuple[int, int]]:
    """First and last index of each run of True."""
    starts = [i for i, flag in enumerate(flags) if flag and not (i and flags[i - 1])]
    ends = [i for i, flag in enumerate(flags) if flag and not any(flags[i + 1 : i + 2])]
    return list(zip(starts, ends, strict=True))


def _areas(points: Json, metrics: Json, name: str) -> str:
    areas = (
        f"{one['name']} {figure_text(class_metrics(metrics, one['name'])[name])}"
        for one in points["roc"]
    )
    return f"{name.upper()} {', '.join(areas)}; {images_of_patients(metrics)}."


def _beside(lines: Sequence[str]) -> Html:
    return element("div", *(element("p", line) for line in lines), class_="beside")


def _reliability(split: Json) -> str:
    bins = split["curves"]["reliability"]["bins"]
    points = ", ".join(f"{one['stated']:.2f}: {one['observed']:.2f}" for one in bins if one["n"])
    return f"Reliability diagram. Predicted probability and observed frequency: {points}."


def _reading(metrics: Json) -> Html:
    """How to read the diagram, and the two figures of recalibration."""
    lines = [
        "Points on the dotted line: of images with a predicted probability of 80%, 80% have the "
        "finding. Above the line probabilities are too low, below it too high. Bars at the foot: "
        "how many images each point stands for.",
    ]
    for name, right in (("calibration_slope", 1), ("calibration_intercept", 0)):
        if (figure := metrics.get(name)) is not None:
            label = name.replace("_", " ").capitalize()
            lines.append(f"{label} {figure_text(figure)}; {right} is right.")
    return _beside(lines)


def _how(scaled: Json) -> Html:
    how = KINDS.get(scaled["kind"], scaled["kind"])
    folds = f", in {scaled['folds']} folds by patient" if scaled.get("crossfitted") else ""
    fitted = (
        "so no image was scaled by a fit that used it"
        if scaled.get("crossfitted")
        else "fitted to the validation images of the run that made the model"
    )
    return element("p", f"Probabilities were scaled by {how}{folds}, {fitted}.")


def _table(scaled: Json) -> Html:
    rows = [
        (label, *(figure_text(scaled[when][name]) for when in ("before", "after")))
        for name, label in COMPARED.items()
        if name in scaled["before"] and name in scaled["after"]
    ]
    drawn = table(("Figure", "Before", "After"), rows, "Calibration before and after scaling")
    chance = scaled.get("ece_by_chance")
    by_chance = (
        f" With so few images the ECE is {chance:.3f} where every probability is right."
        if chance is not None
        else ""
    )
    return join([drawn, remark(f"Lower is better; in brackets 95% intervals.{by_chance}")])
