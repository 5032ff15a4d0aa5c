"""Figures of each group of a column, and how far the worst lies below all the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..intervals import Figure, bootstrapped
from ..measure import LEVEL, check_resamples
from ..predictions import Predictions
from .columns import Column, Group, split_column
from .parts import COMPARED, Part, ask, resample, summarise, with_and_without

FEWEST_PATIENTS = 10  # of fewer, one alone moves sensitivity or specificity by over a tenth
MOST_GROUPS = 12
ONE_IN = 20
NOTE = (
    "The lowest of several groups lies below the others by chance too: by_chance is the gap that "
    f"it has in one of {ONE_IN} comparisons where all groups are alike."
)
Indices = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Asked:
    """A group, what is asked of it and of all the others; `refused` says why nothing is."""

    group: Group
    part: Part
    rest: Part
    refused: str = ""


@dataclass(frozen=True, eq=False)
class Measured:
    """By metric: the group's figure, its difference from the others, (r,) resampled ones."""

    name: str
    figures: dict[str, Figure]
    gap: dict[str, float]
    gaps: dict[str, NDArray[np.float64]]


def measure_subgroups(
    predictions: Predictions,
    columns: Mapping[str, Sequence[Any]],
    threshold: float = 0.5,
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
    column: Column, predictions: Predictions, threshold: float, resamples: int, seed: int
) -> dict[str, Any]:
    by_size = sorted(column.groups, key=lambda group: -len(group.rows))
    shown = [group for group in column.groups if group in by_size[:MOST_GROUPS]]
    every = np.concatenate([group.rows for group in column.groups])
    asked = [_ask_both(group, every, predictions, threshold) for group in shown]
    measured = _measured(asked, predictions.patient_groups, resamples, seed)
    figures = {one.name: one.figures for one in measured}
    groups = [
        _counts(one.group.name, one.group.rows, predictions)
        | (figures[one.group.name] if not one.refused else {"refused": one.refused})
        for one in asked
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


def _left_out(groups: Sequence[Group], predictions: Predictions) -> list[dict[str, Any]]:
    """One line for all groups beyond the largest."""
    if not groups:
        return []
    rows = np.concatenate([group.rows for group in groups])
    why = f"only the {MOST_GROUPS} groups with the most images are measured"
    return [_counts(f"{len(groups)} smaller groups", rows, predictions) | {"refused": why}]


def _ask_both(group: Group, every: Indices, predictions: Predictions, threshold: float) -> Asked:
    people = predictions.patient_groups
    part = list(ask(predictions, threshold, group.rows))
    counts = {q.finding: with_and_without(q, people) for q in part if q.finding}
    enough = {finding for finding, both in counts.items() if min(both) >= FEWEST_PATIENTS}
    if not enough:
        return Asked(group, [], [], _too_small(counts, (predictions.patients != "").any()))
    rest = ask(predictions, threshold, np.setdiff1d(every, group.rows))
    same = {"", *enough}
    return Asked(
        group, [q for q in part if q.finding in same], [q for q in rest if q.finding in same]
    )


def _too_small(counts: Mapping[str, tuple[int, int]], known: bool) -> str:
    unit, fewest = "patients" if known else "images", FEWEST_PATIENTS
    if len(counts) > 1:
        return f"no class has {fewest} {unit} with it and {fewest} without"
    ((finding, (having, lacking)),) = counts.items()
    return f"{having} {unit} with {finding} and {lacking} without; {fewest} of each are needed"


def _measured(asked: Sequence[Asked], people: Indices, resamples: int, seed: int) -> list[Measured]:
    kept = [one for one in asked if not one.refused]
    parts = [one.part for one in kept] + [one.rest for one in kept if len(kept) > 1]
    drawn = resample(parts, people, resamples, seed)
    results = [summarise(part, some, people) for part, some in zip(parts, drawn, strict=True)]
    rests = results[len(kept) :] or [({}, {})] * len(kept)
    found = []
    for one, (figures, values), (others, moved) in zip(kept, results, rests, strict=False):
        both = [
            n for n in others if figures[n]["value"] is not None and others[n]["value"] is not None
        ]
        gap = {n: figures[n]["value"] - others[n]["value"] for n in both}
        gaps = {n: values[n] - moved[n] for n in both}
        found.append(Measured(one.group.name, figures, gap, gaps))
    return found


def _worst(measured: Sequence[Measured]) -> dict[str, Any] | None:
    worst = {}
    for metric in COMPARED:
        with_gap = [one for one in measured if metric.name in one.gap]
        if len(with_gap) > 1:
            worst[metric.name] = _worst_of(metric.name, with_gap)
    return worst or None


def _worst_of(name: str, measured: Sequence[Measured]) -> dict[str, Any]:
    lowest = min(measured, key=lambda one: one.figures[name]["value"])
    noise = np.array([one.gaps[name] - one.gap[name] for one in measured])
    by_chance = float(np.nanquantile(np.nanmin(noise, axis=0), 1 / ONE_IN))
    return {
        "name": lowest.name,
        "value": lowest.figures[name]["value"],
        "gap": bootstrapped(lowest.gap[name], lowest.gaps[name], LEVEL),
        "by_chance": by_chance,
        "beyond_chance": lowest.gap[name] < by_chance,
    }
