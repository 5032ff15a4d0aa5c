"""Predictions as one-versus-rest questions: what metrics, curves and subgroups look at.

A question is one finding, yes or no, of the images where the answer is known. Classes that exclude
each other are besides one question all together: is the decision right?
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._stats.bootstrap import patient_weights
from .metrics import Metric, Sample, binary
from .predictions import Predictions, Threshold

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Question:
    """`rows` (m,) are the images of `sample`; `name` is a class, "" for all classes at once."""

    name: str
    sample: Sample
    rows: Indices

    @property
    def truth(self) -> NDArray[np.bool_]:
        """(m,) whether what `scores` states is so."""
        return self.sample.outcome

    @property
    def scores(self) -> Floats:
        """(m,) the probability of the finding, or of the class decided for among several."""
        return self.sample.confidence

    @property
    def has_both(self) -> bool:
        """Whether images with the finding can be ranked against images without."""
        return bool(self.truth.any() and not self.truth.all())


def one_versus_rest(
    classes: Sequence[str],
    probabilities: Floats,
    targets: NDArray[Any],
    decided: NDArray[Any],
    positive: int | None = None,
) -> list[Question]:
    """One question a class, of the images where it is known; only `positive`, where it is given.

    `probabilities` (n, k); `targets` and `decided` (n,) class indices, or (n, k) of 1/0/NaN and of
    bool. `rows` count from 0.
    """
    if targets.ndim == 2:
        known = [np.flatnonzero(~np.isnan(column)) for column in targets.T]
        return [
            Question(
                classes[i],
                binary(targets[rows, i] == 1, probabilities[rows, i], decided[rows, i]),
                rows,
            )
            for i, rows in enumerate(known)
        ]
    every = np.arange(len(targets))
    return [
        Question(classes[i], binary(targets == i, probabilities[:, i], decided == i), every)
        for i in (range(len(classes)) if positive is None else [positive])
    ]


def questions_of(
    predictions: Predictions, threshold: Threshold = 0.5, rows: Indices | None = None
) -> list[Question]:
    """The positive of two classes, or each class; three or more exclusive ones first all at once.

    `rows` (m,) are the images asked about, all by default.
    """
    rows = np.arange(len(predictions)) if rows is None else rows
    targets, probabilities = predictions.targets[rows], predictions.probabilities[rows]
    decided = predictions.decide(threshold)[rows]
    positive = predictions.positive_index if predictions.binary else None
    several = positive is None and not predictions.multi_label
    every = [Question("", Sample(targets, decided, probabilities), rows)] if several else []
    single = one_versus_rest(predictions.classes, probabilities, targets, decided, positive)
    return every + [Question(one.name, one.sample, rows[one.rows]) for one in single]


def class_questions(predictions: Predictions) -> list[Question]:
    """Those of one class each that can be ranked: what curves are drawn of.

    Left out are classes that every image has, or none.
    """
    return [one for one in questions_of(predictions) if one.name and one.has_both]


def stated_probability(predictions: Predictions) -> Question:
    """The one probability an image whose calibration is measured, named for an axis.

    Of the positive of two classes; of the decision, right or wrong, among more; of every known
    label, all together, where an image has several.
    """
    questions = questions_of(predictions)
    if not predictions.multi_label:
        first = questions[0]
        return Question(first.name or "the class chosen", first.sample, first.rows)
    rows = np.concatenate([one.rows for one in questions])
    by_image = np.argsort(rows, kind="stable")
    truth, scores = (
        np.concatenate([getattr(one, what) for one in questions])[by_image]
        for what in ("truth", "scores")
    )
    return Question("each label", binary(truth, scores, scores >= 0.5), rows[by_image])


def resample(
    asked: Sequence[tuple[Question, Sequence[Metric]]],
    groups: Indices,
    resamples: int,
    seed: int,
) -> list[dict[str, Floats]]:
    """For each question, metric name -> (resamples,) values, all in the same resamples.

    `groups` (n,) int64 are the patients of all images (see `patient_groups`). NaN where a metric is
    undefined, as it is of no images.
    """
    drawn: list[dict[str, list[Floats]]] = [{m.name: [] for m in metrics} for _, metrics in asked]
    for weights in patient_weights(groups, resamples, seed) if asked else ():
        for (question, metrics), lists in zip(asked, drawn, strict=True):
            whole = len(question.rows) == len(groups)
            own = weights if whole else weights[:, question.rows]
            for metric in metrics:
                empty = np.full(len(weights), np.nan)
                lists[metric.name].append(
                    metric.of(question.sample, own) if len(question.rows) else empty
                )
    return [{name: np.concatenate(some) for name, some in lists.items()} for lists in drawn]
