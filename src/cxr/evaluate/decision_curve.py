"""Decision curve analysis: is it better to act on the model than on everyone, or on no one?

Net benefit at a threshold t counts images found, less false alarms weighed by the odds t / (1 - t):
who acts from a probability of 0.2 on takes one missed case to be as bad as four false alarms
(Vickers and Elkin, 2006, doi:10.1177/0272989X06295361).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._stats.bootstrap import patient_weights, ratio
from ..errors import UsageError
from .intervals import bootstrapped, check_resamples
from .measure import check_prevalence
from .predictions import Predictions
from .schema import Figure, undefined

Floats = NDArray[np.float64]
THRESHOLDS = tuple(i / 100 for i in range(1, 100))
ONE_CLASS = "all images are of one class"


def decision_curve(
    predictions: Predictions,
    *,
    thresholds: Sequence[float] = THRESHOLDS,
    prevalence: float | None = None,
    resamples: int = 2000,
    seed: int = 0,
) -> dict[str, Any]:
    """Net benefit per patient of acting on the model, on everyone, and (0 everywhere) on no one.

    Two classes. `model` has a figure with interval a threshold; `gain` is the model's lead over
    the better of the other two, resampled together, so that its interval tells whether it can be
    relied on. `treat_all` and `treat_none` are plain numbers. `prevalence`, a share above 0 and
    below 1, says how common the finding is where the model is to be used (by default as here);
    probabilities are taken as they are, so correct them for that prevalence first where the model
    will be used with corrected ones. Intervals are of the patient bootstrap.
    Without images of both classes `thresholds` is empty and `reason` says so.
    Raises UsageError for other than two classes, a threshold outside (0, 1), or what `measure`
    refuses as `prevalence` or `resamples`.
    """
    index = predictions.positive_index
    points = np.asarray(thresholds, np.float64)
    _check(predictions, points, prevalence, resamples)
    truth = predictions.targets == index
    facts = {
        "positive": predictions.positive,
        "n": len(predictions),
        "prevalence": float(truth.mean()) if prevalence is None else float(prevalence),
        "prevalence_stated": prevalence is not None,
    }
    if truth.all() or not truth.any():
        empty: dict[str, list[Any]] = {"thresholds": [], "model": [], "treat_all": []}
        return facts | empty | undefined(ONE_CLASS)
    acts = (predictions.probabilities[:, index, None] >= points).astype(np.float64)
    every = np.ones((1, len(truth)))
    model, treat_all = (one[0] for one in _net_benefit(acts, truth, points, every, prevalence))
    parts = [
        _net_benefit(acts, truth, points, weights, prevalence)
        for weights in patient_weights(predictions.patient_groups, resamples, seed)
    ]
    drawn, drawn_all = (np.concatenate(some) for some in zip(*parts, strict=True))
    lead, drawn_lead = (
        one - np.maximum(every, 0) for one, every in ((model, treat_all), (drawn, drawn_all))
    )
    return facts | {
        "thresholds": points.tolist(),
        "model": _figures(model, drawn),
        "gain": _figures(lead, drawn_lead),
        "treat_all": treat_all.tolist(),
        "treat_none": [0.0] * len(points),
    }


def _net_benefit(
    acts: Floats,
    truth: NDArray[np.bool_],
    thresholds: Floats,
    weights: Floats,
    prevalence: float | None,
) -> tuple[Floats, Floats]:
    """(r, t) of the model and of treating all. `acts` (n, t), `weights` (r, n)."""
    positives, negatives = weights[:, truth], weights[:, ~truth]
    n_positive, n_negative = positives.sum(axis=1), negatives.sum(axis=1)
    share = ratio(n_positive, n_positive + n_negative)
    if prevalence is not None:
        share = np.full(len(weights), prevalence)
    harm = (1 - share)[:, None] * thresholds / (1 - thresholds)
    true_positives = _rates(positives, acts[truth], n_positive)
    false_positives = _rates(negatives, acts[~truth], n_negative)
    return share[:, None] * true_positives - harm * false_positives, share[:, None] - harm


def _rates(weights: Floats, acts: Floats, total: Floats) -> Floats:
    """Share acted on at each threshold (r, t); NaN in a resample without this class."""
    return (weights @ acts) / np.where(total > 0, total, np.nan)[:, None]


def _figures(values: Floats, drawn: Floats) -> list[Figure]:
    return [
        bootstrapped(float(value), column) for value, column in zip(values, drawn.T, strict=True)
    ]


def _check(
    predictions: Predictions, thresholds: Floats, prevalence: float | None, resamples: int
) -> None:
    check_resamples(resamples)
    if prevalence is not None:
        check_prevalence(predictions, prevalence)
    if not (thresholds.size and ((thresholds > 0) & (thresholds < 1)).all()):
        raise UsageError(
            f"thresholds {thresholds.tolist()}; one or more probabilities above 0 and below 1 "
            "are needed"
        )
