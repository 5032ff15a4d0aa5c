"""All figures of one split, each with its interval: the shape of `metrics.json`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from .intervals import LEVEL, check_resamples, figure, with_interval
from .metrics import ONE_FINDING, OVERALL, Metric, Sample, at_prevalence
from .predictions import Predictions, Threshold
from .questions import Question, questions_of, resample
from .schema import Figure, IntervalSettings, undefined

BY_NAME = {metric.name: metric for metric in (*ONE_FINDING, *OVERALL)}
NO_PATIENTS = "patients are not known; intervals count each image as a patient of its own"
SOME_PATIENTS = "images without a known patient count as patients of their own"
METHOD = (
    "patient bootstrap: exact binomial of the effective sample for proportions, "
    "t on the log-odds or log scale for other bounded figures"
)
Resampled = Mapping[str, NDArray[np.float64]]  # metric name -> (resamples,) values


def measure(
    predictions: Predictions,
    threshold: Threshold = 0.5,
    *,
    resamples: int = 2000,
    seed: int = 0,
    prevalence: float | None = None,
) -> dict[str, Any]:
    """Figures with 95 % intervals; the same seed gives the same ones.

    Two classes: every figure of the positive class at `threshold` (0.5 is the more probable
    class), at the top. More classes: overall figures at the top, `per_class` one against the
    rest, and their unweighted mean ("macro") at the top under the same names. Several labels an
    image: `per_class` over the images where that label is known, and their mean at the top.
    `prevalence`, a share above 0 and below 1, adds the predictive values of two classes where the
    finding is so common: `ppv_at_prevalence`, `npv_at_prevalence`.
    Raises UsageError for a threshold outside 0 to 1, fewer than 100 resamples, or a prevalence
    that is no such share or of other than two classes.
    """
    check_threshold(threshold)
    check_resamples(resamples)
    if prevalence is not None:
        check_prevalence(predictions, prevalence)
    asked = [
        (question, _metrics_of(question, predictions, prevalence))
        for question in questions_of(predictions, threshold)
    ]
    drawn = resample(asked, predictions.patient_groups, resamples, seed)
    figures = [
        _figures(question, metrics, predictions, values)
        for (question, metrics), values in zip(asked, drawn, strict=True)
    ]
    result = _facts(predictions, threshold, interval_settings(METHOD, resamples, seed))
    if prevalence is not None:
        result["stated_prevalence"] = float(prevalence)
    if predictions.binary:
        return result | figures[0]
    names = [question.name for question, _ in asked]
    by_class = {name: some for name, some in zip(names, figures, strict=True) if name}
    resampled = {name: some for name, some in zip(names, drawn, strict=True) if name}
    overall = figures[0] if not predictions.multi_label else {}
    return result | _macro(by_class, resampled) | overall | {"per_class": by_class}


def check_threshold(threshold: Threshold) -> None:
    """Raises UsageError for what is no probability."""
    if not ((np.asarray(threshold) >= 0) & (np.asarray(threshold) <= 1)).all():
        raise UsageError(f"threshold {threshold}; a probability from 0 to 1 is needed")


def check_prevalence(predictions: Predictions, prevalence: float) -> None:
    """Raises UsageError for a prevalence that predictive values cannot be had at."""
    if not predictions.binary:
        raise UsageError(
            f"a prevalence of {prevalence} for {len(predictions.classes)} classes; one finding is "
            "needed, two classes that exclude each other"
        )
    if not 0 < prevalence < 1:
        raise UsageError(f"prevalence {prevalence}; a share above 0 and below 1 is needed")


def interval_settings(method: str, resamples: int, seed: int) -> IntervalSettings:
    return {"level": LEVEL, "method": method, "resamples": resamples, "seed": seed}


def count_patients(predictions: Predictions) -> int | Figure:
    """Undefined where no patient is known; one who is not counts as a patient of their own."""
    if not (predictions.patients != "").any():
        return undefined(NO_PATIENTS)
    return int(predictions.patient_groups.max()) + 1


def _metrics_of(
    question: Question, predictions: Predictions, prevalence: float | None
) -> tuple[Metric, ...]:
    if not question.name:
        return OVERALL
    if predictions.binary:
        stated = () if prevalence is None else at_prevalence(prevalence)
        return (*ONE_FINDING, *stated, *OVERALL)
    return (*ONE_FINDING, *OVERALL) if predictions.multi_label else ONE_FINDING


def _figures(
    question: Question, metrics: Sequence[Metric], predictions: Predictions, resampled: Resampled
) -> dict[str, Figure]:
    groups = predictions.patient_groups[question.rows]
    if not len(groups):
        return {metric.name: undefined("no image has a known label") for metric in metrics}
    return {
        metric.name: figure(metric, question.sample, groups, resampled[metric.name])
        for metric in metrics
    }


def _macro(
    by_class: Mapping[str, Mapping[str, Figure]], resampled: Mapping[str, Resampled]
) -> dict[str, Figure]:
    """Unweighted means over the classes where a figure is defined; says over how many."""
    names = [name for name in next(iter(by_class.values())) if name != "prevalence"]
    macro = {"prevalence": undefined("one for each class, under per_class")}
    for name in names:
        defined = [c for c, figures in by_class.items() if figures[name]["value"] is not None]
        if not defined:
            macro[name] = undefined("undefined for every class")
            continue
        value = float(np.mean([by_class[c][name]["value"] for c in defined]))
        values = np.mean([resampled[c][name] for c in defined], axis=0)
        macro[name] = {**with_interval(BY_NAME[name], value, values), "classes": len(defined)}
    return macro


def _facts(
    predictions: Predictions, threshold: Threshold, intervals: IntervalSettings
) -> dict[str, Any]:
    known = predictions.patients != ""
    if not known.all():
        intervals["note"] = SOME_PATIENTS if known.any() else NO_PATIENTS
    facts: dict[str, Any] = {
        "n": len(predictions),
        "n_patients": count_patients(predictions),
        "classes": list(predictions.classes),
        "positive": predictions.positive,
        "multi_label": predictions.multi_label,
        "threshold": _threshold(predictions, threshold),
        "intervals": intervals,
    }
    return facts | _confusion_matrix(predictions, threshold)


def _threshold(predictions: Predictions, threshold: Threshold) -> float | dict[str, Any]:
    """As a number, of labels with thresholds of their own by name, or why there is none."""
    if isinstance(threshold, tuple):
        return dict(zip(predictions.classes, map(float, threshold), strict=True))
    if predictions.binary or predictions.multi_label:
        return float(threshold)
    return {**undefined("the most probable class is taken")}


def _confusion_matrix(predictions: Predictions, threshold: Threshold) -> dict[str, Any]:
    """`confusion_matrix`: images by actual (row) and decided (column) class."""
    if predictions.multi_label:
        return {}
    sample = Sample(predictions.targets, predictions.decide(threshold), predictions.probabilities)
    counts = sample.confusion(np.ones((1, len(predictions))))[0]
    return {"confusion_matrix": counts.astype(int).tolist()}
