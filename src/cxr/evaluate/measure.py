"""All figures of one split, each with its interval: the shape of `metrics.json`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import __version__
from .._stats.bootstrap import patient_weights
from ..errors import UsageError
from .intervals import Figure, figure, undefined, with_interval
from .metrics import ONE_FINDING, OVERALL, Metric, Sample, at_prevalence, binary
from .predictions import Predictions

FORMAT = 1
RESEARCH_USE_ONLY = (
    "Research tool, not a medical device: not for diagnosis or any decision about a patient."
)
LEVEL = 0.95
BY_NAME = {metric.name: metric for metric in (*ONE_FINDING, *OVERALL)}
FEWEST_RESAMPLES = 100
NO_PATIENTS = "patients are not known; intervals count each image as a patient of its own"
SOME_PATIENTS = "images without a known patient count as patients of their own"


@dataclass(frozen=True)
class View:
    """One question put to some of the images. `name` is a class, or "" for all classes at once."""

    name: str
    sample: Sample
    rows: NDArray[np.int64]
    metrics: tuple[Metric, ...]


def measure(
    predictions: Predictions,
    threshold: float = 0.5,
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
    _check(threshold, resamples)
    if prevalence is not None:
        check_prevalence(predictions, prevalence)
    views = list(_views(predictions, threshold, prevalence))
    values = _resample(views, predictions.patient_groups, resamples, seed)
    figures = [_figures(view, predictions, some) for view, some in zip(views, values, strict=True)]
    result = _facts(predictions, threshold, resamples, seed)
    if prevalence is not None:
        result["stated_prevalence"] = float(prevalence)
    if predictions.binary:
        return result | figures[0]
    by_class = {view.name: some for view, some in zip(views, figures, strict=True) if view.name}
    resampled = {view.name: some for view, some in zip(views, values, strict=True) if view.name}
    overall = figures[0] if not predictions.multi_label else {}
    return result | _macro(by_class, resampled) | overall | {"per_class": by_class}


def _check(threshold: float, resamples: int) -> None:
    if not 0 <= threshold <= 1:
        raise UsageError(f"threshold {threshold}; a probability from 0 to 1 is needed")
    check_resamples(resamples)


def check_prevalence(predictions: Predictions, prevalence: float) -> None:
    """Raises UsageError for a prevalence that predictive values cannot be had at."""
    if not predictions.binary:
        raise UsageError(
            f"a prevalence of {prevalence} for {len(predictions.classes)} classes; one finding is "
            "needed, two classes that exclude each other"
        )
    if not 0 < prevalence < 1:
        raise UsageError(f"prevalence {prevalence}; a share above 0 and below 1 is needed")


def check_resamples(resamples: int) -> None:
    """Raises UsageError for too few to make an interval."""
    if resamples < FEWEST_RESAMPLES:
        raise UsageError(
            f"{resamples} resamples; an interval needs {FEWEST_RESAMPLES} or more (2000 is usual)"
        )


def _views(predictions: Predictions, threshold: float, prevalence: float | None) -> Iterator[View]:
    decided, targets = predictions.decide(threshold), predictions.targets
    chances, every = predictions.probabilities, np.arange(len(predictions))
    if predictions.binary:
        i = predictions.positive_index
        sample = binary(targets == i, chances[:, i], decided == i)
        stated = () if prevalence is None else at_prevalence(prevalence)
        yield View(predictions.classes[i], sample, every, (*ONE_FINDING, *stated, *OVERALL))
    elif predictions.multi_label:
        for i, name in enumerate(predictions.classes):
            rows = np.flatnonzero(~np.isnan(targets[:, i]))
            sample = binary(targets[rows, i] == 1, chances[rows, i], decided[rows, i])
            yield View(name, sample, rows, (*ONE_FINDING, *OVERALL))
    else:
        yield View("", Sample(targets, decided, chances), every, OVERALL)
        for i, name in enumerate(predictions.classes):
            sample = binary(targets == i, chances[:, i], decided == i)
            yield View(name, sample, every, ONE_FINDING)


def _resample(
    views: list[View], groups: NDArray[np.int64], resamples: int, seed: int
) -> list[dict[str, NDArray[np.float64]]]:
    """For each view, metric name -> (resamples,) values. All views share the same resamples."""
    parts: list[dict[str, list[NDArray[np.float64]]]] = [
        {metric.name: [] for metric in view.metrics} for view in views
    ]
    for weights in patient_weights(groups, resamples, seed):
        for view, lists in zip(views, parts, strict=True):
            own = weights if len(view.rows) == len(groups) else weights[:, view.rows]
            for metric in view.metrics if len(view.rows) else ():
                lists[metric.name].append(metric.of(view.sample, own))
    return [{name: np.concatenate(some) for name, some in lists.items() if some} for lists in parts]


def _figures(
    view: View, predictions: Predictions, resampled: dict[str, NDArray[np.float64]]
) -> dict[str, Any]:
    groups = predictions.patient_groups[view.rows]
    if not len(groups):
        return {metric.name: undefined("no image has a known label") for metric in view.metrics}
    return {
        metric.name: figure(metric, view.sample, groups, resampled[metric.name], LEVEL)
        for metric in view.metrics
    }


def _macro(
    by_class: dict[str, dict[str, Figure]], resampled: dict[str, dict[str, NDArray[np.float64]]]
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
        interval = with_interval(BY_NAME[name], value, values, LEVEL)
        macro[name] = interval | {"classes": len(defined)}
    return macro


def _facts(predictions: Predictions, threshold: float, resamples: int, seed: int) -> dict[str, Any]:
    known = predictions.patients != ""
    intervals: dict[str, Any] = {
        "level": LEVEL,
        "method": "patient bootstrap: exact binomial of the effective sample for proportions, "
        "t on the log-odds or log scale for other bounded figures",
        "resamples": resamples,
        "seed": seed,
    }
    if not known.all():
        intervals["note"] = SOME_PATIENTS if known.any() else NO_PATIENTS
    facts: dict[str, Any] = {
        "n": len(predictions),
        "n_patients": count_patients(predictions),
        "classes": list(predictions.classes),
        "positive": predictions.positive,
        "multi_label": predictions.multi_label,
        "threshold": float(threshold)
        if predictions.binary or predictions.multi_label
        else undefined("the most probable class is taken"),
        "intervals": intervals,
    }
    return facts | _counts(predictions, threshold)


def count_patients(predictions: Predictions) -> int | Figure:
    """Undefined where no patient is known; one who is not counts as a patient of their own."""
    if not (predictions.patients != "").any():
        return undefined(NO_PATIENTS)
    return int(predictions.patient_groups.max()) + 1


def _counts(predictions: Predictions, threshold: float) -> dict[str, Any]:
    """`confusion_matrix`: images by actual (row) and decided (column) class."""
    if predictions.multi_label:
        return {}
    sample = Sample(predictions.targets, predictions.decide(threshold), predictions.probabilities)
    counts = sample.confusion(np.ones((1, len(predictions))))[0]
    return {"confusion_matrix": counts.astype(int).tolist()}


def about() -> dict[str, Any]:
    return {
        "format": FORMAT,
        "generator": f"cxr {__version__}",
        "research_use_only": RESEARCH_USE_ONLY,
    }
