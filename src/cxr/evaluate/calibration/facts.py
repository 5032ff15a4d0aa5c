"""How well calibrated before and after: `metrics[split]["calibration"]`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..._stats.bootstrap import patient_weights
from ...errors import DataError
from ..intervals import Figure, bootstrapped, figure
from ..metrics import Metric, Sample, binary
from ..metrics.brier import BRIER
from ..metrics.ece import BINS, ECE, bin_of
from ..metrics.log_loss import LOG_LOSS
from .bins import reliability_bins
from .calibration import Calibration
from .choice import choose_calibration, known_rows
from .crossfit import FOLDS, Floats, Ints, cross_fitted
from .temperature import checked

LEVEL = 0.95
DRAWS = 200
METRICS = (ECE, BRIER, LOG_LOSS)
OF_FINDING = "the probability of the finding"
OF_DECISION = "the probability of the class decided for"
OF_LABELS = "the probability of each label, and their mean taken over the labels"
DEFINITION = (
    "ECE: ten bins of equal width over {}; in each the gap between mean probability and observed "
    "frequency, weighted by images. Small samples make it too high: ece_by_chance is what it would "
    "be were every probability exactly right."
)


@dataclass(frozen=True)
class View:
    """One question to some of the images."""

    sample: Sample
    rows: Ints


def calibration_facts(
    logits: ArrayLike,
    targets: ArrayLike,
    groups: ArrayLike,
    calibration: Calibration,
    *,
    crossfit: bool = True,
    positive: int = 1,
    resamples: int = 2000,
    seed: int = 0,
) -> dict[str, Any]:
    """ECE, Brier score, log loss and reliability bins without calibration and with it.

    `logits` (n, k) as the network gives them, `targets` (n,) class indices or (n, k) of 1/0/NaN,
    `groups` (n,) int64, one number a patient. `calibration` is what `choose_calibration` chose.
    With `crossfit`, for the images that it was fitted to, "after" judges the way by which it was
    found: the images of each fold of patients are calibrated by what is chosen and fitted without
    them. Without, for other images, `calibration` itself is judged. `positive` is the index of the
    finding where there are two classes. Intervals are of the patient bootstrap, the calibrations
    held as they are.
    Keys: those of `Calibration.to_json`, `crossfitted`, `folds`, `definition` of the ECE, `before`
    and `after` (`ece`, `brier`, `log_loss`, each a figure), `ece_by_chance`, `bins_before` and
    `bins_after` (`reliability_bins`). Of several labels, figures are means over the labels.
    Raises DataError for no images, shapes that do not fit, or values that are not finite.
    """
    z, y = checked(np.asarray(logits, np.float64), np.asarray(targets))
    patients = np.asarray(groups, np.int64)
    if patients.shape != z.shape[:1]:
        raise DataError(f"groups {patients.shape} for {len(z)} images; one patient each is needed")
    known = known_rows(y)
    z, y, patients = z[known], y[known], np.unique(patients[known], return_inverse=True)[1]
    calibrated = calibration.apply(z)
    if crossfit:
        calibrated = cross_fitted(_chosen, z, y, patients, seed)
    before, after = (_views(some, y, positive) for some in (z, calibrated))
    return {
        **calibration.to_json(),
        "crossfitted": crossfit,
        "folds": min(FOLDS, int(patients.max()) + 1) if crossfit else 0,
        "definition": DEFINITION.format(_question(z, y)),
        "before": _figures(before, patients, resamples, seed),
        "after": _figures(after, patients, resamples, seed),
        "ece_by_chance": _by_chance(after, seed),
        "bins_before": _bins(before),
        "bins_after": _bins(after),
    }


def _chosen(logits: Floats, targets: NDArray[Any], groups: Ints) -> Calibration:
    return choose_calibration(logits, targets, groups)


def _question(logits: Floats, targets: NDArray[Any]) -> str:
    if targets.ndim == 2:
        return OF_LABELS
    return OF_FINDING if logits.shape[1] == 2 else OF_DECISION


def _views(logits: Floats, targets: NDArray[Any], positive: int) -> list[View]:
    """One of all images, or one a label of those where it is known."""
    from scipy.special import expit, softmax

    if targets.ndim == 2:
        known = [np.flatnonzero(~np.isnan(column)) for column in targets.T]
        return [
            View(_finding(targets[rows, i] == 1, expit(logits[rows, i])), rows)
            for i, rows in enumerate(known)
            if len(rows)
        ]
    chances, every = softmax(logits, axis=1), np.arange(len(targets))
    if logits.shape[1] == 2:
        return [View(_finding(targets == positive, chances[:, positive]), every)]
    return [View(Sample(targets, chances.argmax(axis=1), chances), every)]


def _finding(truth: NDArray[np.bool_], scores: Floats) -> Sample:
    return binary(truth, scores, scores >= 0.5)


def _figures(views: list[View], groups: Ints, resamples: int, seed: int) -> dict[str, Figure]:
    parts: dict[str, list[Floats]] = {metric.name: [] for metric in METRICS}
    for weights in patient_weights(groups, resamples, seed):
        for metric in METRICS:
            parts[metric.name].append(_mean(metric, views, weights))
    resampled = {name: np.concatenate(some) for name, some in parts.items()}
    return {m.name: _figure(m, views, groups, resampled[m.name]) for m in METRICS}


def _figure(metric: Metric, views: list[View], groups: Ints, resampled: Floats) -> Figure:
    if len(views) == 1:
        return figure(metric, views[0].sample, groups, resampled, LEVEL)
    value = float(_mean(metric, views, np.ones((1, len(groups))))[0])
    return {**bootstrapped(value, resampled, LEVEL, metric.recentre), "n": len(groups)}


def _mean(metric: Metric, views: list[View], weights: Floats) -> Floats:
    """(r,) over the views, as `measure` takes it over labels."""
    values = [metric.of(view.sample, weights[:, view.rows]) for view in views]
    return np.asarray(np.mean(values, axis=0))


def _by_chance(views: list[View], seed: int) -> float:
    """The mean ECE of labels drawn by the very probabilities that were stated."""
    rng = np.random.default_rng(seed)
    return float(np.mean([_ece_of_draws(view.sample.confidence, rng) for view in views]))


def _ece_of_draws(stated: Floats, rng: np.random.Generator) -> float:
    surplus = stated - (rng.random((DRAWS, len(stated))) < stated)
    gaps = np.abs(surplus @ np.eye(BINS)[bin_of(stated)])
    return float(gaps.sum(axis=1).mean() / len(stated))


def _bins(views: list[View]) -> list[dict[str, float]]:
    stated = np.concatenate([view.sample.confidence for view in views])
    return reliability_bins(stated, np.concatenate([view.sample.outcome for view in views]))
