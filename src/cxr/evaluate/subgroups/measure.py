"""Figures of each group of a column, and how far the worst lies below all the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..intervals import bootstrapped, check_resamples, figure, with_interval
from ..metrics import ACCURACY, AUROC, PREVALENCE, SENSITIVITY, SPECIFICITY, Metric
from ..predictions import Predictions, Threshold
from ..questions import Question, questions_of, resample
from ..schema import Figure, undefined
from .columns import Subgroup, SubgroupColumn, split_column

FINDING = (AUROC, SENSITIVITY, SPECIFICITY)
COMPARED = (AUROC, ACCURACY, SENSITIVITY, SPECIFICITY)
FEWEST_PATIENTS = 10  # of fewer, one alone moves sensitivity or specificity by over a tenth
MOST_GROUPS = 12
ONE_IN = 20
NOTE = (
    "The lowest of several groups lies below the others by chance too: by_chance is the gap that "
    f"it has in one of {ONE_IN} comparisons where all groups are alike."
)
Indices = NDArray[np.int64]
Resampled = Mapping[str, NDArray[np.float64]]  # metric name -> (r,) values


@dataclass(frozen=True, eq=False)
class _Comparison:
    """What is asked of a subgroup and of all others; `too_small` says why nothing is."""

    subgroup: Subgroup
    inside: Sequence[Question] = ()
    outside: Sequence[Question] = ()
    too_small: str = ""


@dataclass(frozen=True, eq=False)
class _Measured:
    """By metric: the subgroup's figure, its difference from the others, (r,) resampled ones."""

    name: str
    figures: dict[str, Figure]
    gap: dict[str, float]
    gaps: dict[str, NDArray[np.float64]]


def measure_subgroups(
    predictions: Predictions,
    columns: Mapping[str, Sequence[Any]],
    threshold: Threshold = 0.5,
    *,
    seed: int = 0,
    resamples: int = 2000,
) -> dict[str, Any]:
    """How good a model is in the groups that each column of n values, one an image, makes.

    Gives for each column `groups`, with counts and figures or the reason why one is `refused`;
    `missing`, the images without a value; a `note`; and `worst`, for each metric the group with
    the lowest value and its `gap`: its figure less that of all other images with a value. `worst`
    is None where fewer than two groups are measured. `by_chance` is the gap that the worst group
    has in one of twenty comparisons where all are alike, `beyond_chance` whether this is wider.

    Intervals are of one patient bootstrap that all groups share, as a patient may be in several.
    With several classes or labels figures are means over those with enough patients in the group
    (`classes` says over how many), except the accuracy of classes that exclude each other.
    Enough are 10 patients with the finding and 10 without. The 12 groups with the most images are
    measured. Raises UsageError for a column that cannot be used (see `split_column`) and for
    fewer than 100 resamples.
    """
    check_resamples(resamples)
    split = {name: split_column(name, values, predictions) for name, values in columns.items()}
    return {
        name: _of_column(column, predictions, threshold, resamples, seed)
        for name, column in split.items()
    }


def _of_column(
    column: SubgroupColumn,
    predictions: Predictions,
    threshold: Threshold,
    resamples: int,
    seed: int,
) -> dict[str, Any]:
    by_size = sorted(column.groups, key=lambda group: -len(group.rows))
    shown = [group for group in column.groups if group in by_size[:MOST_GROUPS]]
    every = np.concatenate([group.rows for group in column.groups])
    compared = [_compare(group, every, predictions, threshold) for group in shown]
    measured = _measured(compared, predictions, resamples, seed)
    figures = {one.name: one.figures for one in measured}
    groups = [
        _counts(one.subgroup.name, one.subgroup.rows, predictions)
        | ({"refused": one.too_small} if one.too_small else figures[one.subgroup.name])
        for one in compared
    ]
    return {
        "groups": groups + _left_out(by_size[MOST_GROUPS:], predictions),
        "worst": _worst(measured) if len(measured) > 1 else None,
        "missing": column.missing,
        "note": NOTE,
    }


def _counts(name: str, rows: Indices, predictions: Predictions) -> dict[str, Any]:
    known = (predictions.patients != "").any()
    patients = len(np.unique(predictions.patient_groups[rows])) if known else None
    return {"name": name, "n": len(rows), "n_patients": patients}


def _left_out(groups: Sequence[Subgroup], predictions: Predictions) -> list[dict[str, Any]]:
    """One line for all groups beyond the largest."""
    if not groups:
        return []
    rows = np.concatenate([group.rows for group in groups])
    why = f"only the {MOST_GROUPS} groups with the most images are measured"
    return [_counts(f"{len(groups)} smaller groups", rows, predictions) | {"refused": why}]


def _compare(
    subgroup: Subgroup, every: Indices, predictions: Predictions, threshold: Threshold
) -> _Comparison:
    patients = predictions.patient_groups
    inside = questions_of(predictions, threshold, subgroup.rows)
    counts = {q.name: _with_and_without(q, patients) for q in inside if q.name}
    enough = {name for name, both in counts.items() if min(both) >= FEWEST_PATIENTS}
    if not enough:
        known = bool((predictions.patients != "").any())
        return _Comparison(subgroup, too_small=_too_small(counts, known))
    outside = questions_of(predictions, threshold, np.setdiff1d(every, subgroup.rows))
    same = {"", *enough}
    return _Comparison(
        subgroup, [q for q in inside if q.name in same], [q for q in outside if q.name in same]
    )


def _with_and_without(question: Question, patients: Indices) -> tuple[int, int]:
    """Patients with an image that has the finding, and with one that has it not."""
    own, truth = patients[question.rows], question.truth
    return len(np.unique(own[truth])), len(np.unique(own[~truth]))


def _too_small(counts: Mapping[str, tuple[int, int]], known: bool) -> str:
    unit, fewest = "patients" if known else "images", FEWEST_PATIENTS
    if len(counts) > 1:
        return f"no class has {fewest} {unit} with it and {fewest} without"
    ((finding, (having, lacking)),) = counts.items()
    return f"{having} {unit} with {finding} and {lacking} without; {fewest} of each are needed"


def _metrics_of(question: Question, predictions: Predictions) -> tuple[Metric, ...]:
    if not question.name:
        return (ACCURACY,)
    if predictions.binary:
        return (PREVALENCE, *COMPARED)
    return COMPARED if predictions.multi_label else FINDING


def _measured(
    compared: Sequence[_Comparison], predictions: Predictions, resamples: int, seed: int
) -> list[_Measured]:
    """Of the subgroups that are large enough, all in the same resamples of all patients."""
    large = [one for one in compared if not one.too_small]
    parts = [one.inside for one in large] + [one.outside for one in large if len(large) > 1]
    asked = [(q, _metrics_of(q, predictions)) for part in parts for q in part]
    drawn = iter(resample(asked, predictions.patient_groups, resamples, seed))
    results = [
        _summarise([(q, next(drawn)) for q in part], predictions.patient_groups) for part in parts
    ]
    outside = results[len(large) :] or [({}, {})] * len(large)
    return [_gaps(one.subgroup.name, *results[i], *outside[i]) for i, one in enumerate(large)]


def _summarise(
    part: Sequence[tuple[Question, Resampled]], patients: Indices
) -> tuple[dict[str, Figure], dict[str, NDArray[np.float64]]]:
    """Figures by metric, and their resampled values: means where several findings are asked for."""
    figures: dict[str, Figure] = {PREVALENCE.name: undefined("one for each class")}
    resampled: dict[str, NDArray[np.float64]] = {}
    for metric in (PREVALENCE, *COMPARED):
        asked = [(q, values[metric.name]) for q, values in part if metric.name in values]
        if not asked:
            continue
        mean = np.mean([values for _, values in asked], axis=0)
        own = [figure(metric, q.sample, patients[q.rows], values) for q, values in asked]
        figures[metric.name] = own[0] if len(own) == 1 else _mean(metric, own, mean)
        resampled[metric.name] = mean
    return figures, resampled


def _mean(metric: Metric, figures: Sequence[Figure], resampled: NDArray[np.float64]) -> Figure:
    for one in figures:
        if one["value"] is None:
            return one
    value = float(np.mean([one["value"] for one in figures]))
    return {**with_interval(metric, value, resampled), "classes": len(figures)}


def _gaps(
    name: str,
    figures: dict[str, Figure],
    resampled: Resampled,
    others: Mapping[str, Figure],
    others_resampled: Resampled,
) -> _Measured:
    both = [n for n in others if figures[n]["value"] is not None and others[n]["value"] is not None]
    gap = {n: figures[n]["value"] - others[n]["value"] for n in both}
    return _Measured(name, figures, gap, {n: resampled[n] - others_resampled[n] for n in both})


def _worst(measured: Sequence[_Measured]) -> dict[str, Any] | None:
    worst = {}
    for metric in COMPARED:
        with_gap = [one for one in measured if metric.name in one.gap]
        if len(with_gap) > 1:
            worst[metric.name] = _worst_of(metric.name, with_gap)
    return worst or None


def _worst_of(name: str, measured: Sequence[_Measured]) -> dict[str, Any]:
    lowest = min(measured, key=lambda one: one.figures[name]["value"])
    noise = np.array([one.gaps[name] - one.gap[name] for one in measured])
    by_chance = float(np.nanquantile(np.nanmin(noise, axis=0), 1 / ONE_IN))
    return {
        "name": lowest.name,
        "value": lowest.figures[name]["value"],
        "gap": bootstrapped(lowest.gap[name], lowest.gaps[name]),
        "by_chance": by_chance,
        "beyond_chance": lowest.gap[name] < by_chance,
    }
