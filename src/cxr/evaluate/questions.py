"""Predictions as yes-or-no questions with a probability each: what curves are drawn of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .predictions import Predictions


@dataclass(frozen=True, eq=False)
class Question:
    """(n,) truth and probability; `rows` (n,) are the images that it was put to."""

    name: str
    truth: NDArray[np.bool_]
    scores: NDArray[np.float64]
    rows: NDArray[np.int64]


def class_questions(predictions: Predictions) -> list[Question]:
    """ "Has it this class?", for the positive of two classes or each of several.

    Left out are classes that every image has, or none: nothing can be ranked there.
    """
    if predictions.binary:
        indices = [predictions.positive_index]
    else:
        indices = list(range(len(predictions.classes)))
    questions = [_class_question(predictions, i) for i in indices]
    return [one for one in questions if one.truth.any() and not one.truth.all()]


def _class_question(predictions: Predictions, index: int) -> Question:
    targets, scores = predictions.targets, predictions.probabilities[:, index]
    rows = np.arange(len(predictions))
    if predictions.multi_label:
        rows = np.flatnonzero(~np.isnan(targets[:, index]))
        truth = targets[rows, index] == 1
    else:
        truth = targets == index
    return Question(predictions.classes[index], truth, scores[rows], rows)


def stated_probability(predictions: Predictions) -> Question:
    """The one probability an image whose calibration is judged, named for an axis.

    Of the positive of two classes; of the decision, right or wrong, among more; of every known
    label, all together, where an image has several.
    """
    every = np.arange(len(predictions))
    chances, targets = predictions.probabilities, predictions.targets
    if predictions.binary:
        i = predictions.positive_index
        return Question(predictions.classes[i], targets == i, chances[:, i], every)
    if predictions.multi_label:
        known = ~np.isnan(targets)
        return Question("each label", targets[known] == 1, chances[known], np.nonzero(known)[0])
    decided = predictions.decide()
    return Question("the class chosen", decided == targets, chances[every, decided], every)
