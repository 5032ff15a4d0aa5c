"""A part of the images: what is asked of it, its figures, and how a bootstrap moves them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..._stats.bootstrap import patient_weights
from ..intervals import Figure, figure, undefined, with_interval
from ..measure import LEVEL
from ..metrics import Metric, Sample, binary
from ..metrics.accuracy import ACCURACY
from ..metrics.auroc import AUROC
from ..metrics.prevalence import PREVALENCE
from ..metrics.sensitivity import SENSITIVITY
from ..metrics.specificity import SPECIFICITY
from ..predictions import Predictions

FINDING = (AUROC, SENSITIVITY, SPECIFICITY)
COMPARED = (AUROC, ACCURACY, SENSITIVITY, SPECIFICITY)
Floats = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Question:
    """About `finding`, "" for all classes at once. `rows` (m,) are the images of `sample`."""

    finding: str
    sample: Sample
    rows: Indices
    metrics: tuple[Metric, ...]


Part = Sequence[Question]
Values = dict[str, Floats]  # metric -> (r,) values, one a resample


def ask(predictions: Predictions, threshold: float, rows: Indices) -> Iterator[Question]:
    """One question a finding; of three or more exclusive classes also whether the right one."""
    targets, chances = predictions.targets[rows], predictions.probabilities[rows]
    decided = predictions.decide(threshold)[rows]
    if predictions.multi_label:
        for i, name in enumerate(predictions.classes):
            known = ~np.isnan(targets[:, i])
            sample = binary(targets[known, i] == 1, chances[known, i], decided[known, i])
            yield Question(name, sample, rows[known], COMPARED)
    elif predictions.binary:
        i = predictions.positive_index
        sample = binary(targets == i, chances[:, i], decided == i)
        yield Question(predictions.classes[i], sample, rows, (PREVALENCE, *COMPARED))
    else:
        yield Question("", Sample(targets, decided, chances), rows, (ACCURACY,))
        for i, name in enumerate(predictions.classes):
            sample = binary(targets == i, chances[:, i], decided == i)
            yield Question(name, sample, rows, FINDING)


def with_and_without(question: Question, people: Indices) -> tuple[int, int]:
    """Patients with an image that has the finding, and with one that has it not."""
    own, truth = people[question.rows], question.sample.actual == 1
    return len(np.unique(own[truth])), len(np.unique(own[~truth]))


def resample(
    parts: Sequence[Part], people: Indices, resamples: int, seed: int
) -> list[list[Values]]:
    """For each part and question its figures, in the same resamples of all patients."""
    every = [question for part in parts for question in part]
    blocks: list[dict[str, list[Floats]]] = [{m.name: [] for m in q.metrics} for q in every]
    for weights in patient_weights(people, resamples, seed) if every else ():
        for question, lists in zip(every, blocks, strict=True):
            own = weights[:, question.rows]
            for metric in question.metrics:
                lists[metric.name].append(metric.of(question.sample, own))
    drawn = iter([{name: np.concatenate(some) for name, some in b.items()} for b in blocks])
    return [[next(drawn) for _ in part] for part in parts]


def summarise(
    part: Part, drawn: Sequence[Values], people: Indices
) -> tuple[dict[str, Figure], Values]:
    """Figures by metric, and their resampled values: means where several findings are asked for."""
    figures: dict[str, Figure] = {PREVALENCE.name: undefined("one for each class")}
    resampled: Values = {}
    for metric in (PREVALENCE, *COMPARED):
        asked = [
            (q, v[metric.name]) for q, v in zip(part, drawn, strict=True) if metric in q.metrics
        ]
        if not asked:
            continue
        resampled[metric.name] = np.mean([values for _, values in asked], axis=0)
        own = [figure(metric, q.sample, people[q.rows], values, LEVEL) for q, values in asked]
        figures[metric.name] = (
            own[0] if len(own) == 1 else _mean(metric, own, resampled[metric.name])
        )
    return figures, resampled


def _mean(metric: Metric, figures: Sequence[Figure], resampled: Floats) -> Figure:
    for one in figures:
        if one["value"] is None:
            return one
    value = float(np.mean([one["value"] for one in figures]))
    return with_interval(metric, value, resampled, LEVEL) | {"classes": len(figures)}
