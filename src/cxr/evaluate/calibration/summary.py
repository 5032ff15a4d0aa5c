"""How well calibrated before and after: `metrics[split]["calibration"]`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...errors import DataError
from ..intervals import bootstrapped, clopper_pearson, figure
from ..metrics import Metric, Sample
from ..metrics.probability import BINS, BRIER, ECE, LOG_LOSS, bin_of
from ..questions import Question, one_versus_rest, resample
from ..schema import Figure
from .calibration import Calibration
from .choice import FOLDS, Ints, choose_calibration, cross_fitted, known_rows
from .fit import Floats, checked

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


class ReliabilityBin(TypedDict):
    """`stated` mean probability and `observed` share of what was so, of `n` images.

    `low` to `high` is the share's exact 95 % interval as if images were independent. Where an image
    has several labels, `n` counts labels.
    """

    stated: float
    observed: float
    low: float
    high: float
    n: int


def summarise_calibration(
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
    With `crossfit`, for the images that it was fitted to, "after" measures the way by which it was
    chosen: the images of each fold of patients are calibrated by what is chosen and fitted without
    them. Without, for other images, `calibration` itself is measured. `positive` is the index of
    the finding where there are two classes. Intervals are of the patient bootstrap, the
    calibrations held as they are.
    Keys: those of `Calibration.to_json`, `crossfitted`, `folds`, `definition` of the ECE, `before`
    and `after` (`ece`, `brier`, `log_loss`, each a figure), `ece_by_chance`, `bins_before` and
    `bins_after` (`reliability_bins`). Of several labels, figures are means over the labels.
    Raises DataError for no images, shapes that do not fit, or values that are not finite.
    """
    z, y = checked(logits, targets)
    patients = np.asarray(groups, np.int64)
    if patients.shape != z.shape[:1]:
        raise DataError(f"groups {patients.shape} for {len(z)} images; one patient each is needed")
    known = known_rows(y)
    z, y, patients = z[known], y[known], np.unique(patients[known], return_inverse=True)[1]
    calibrated = calibration.apply(z)
    if crossfit:
        calibrated = cross_fitted(_choose, z, y, patients, seed)
    before, after = (_questions(some, y, positive) for some in (z, calibrated))
    return {
        **calibration.to_json(),
        "crossfitted": crossfit,
        "folds": min(FOLDS, int(patients.max()) + 1) if crossfit else 0,
        "definition": DEFINITION.format(_what_is_stated(z, y)),
        "before": _figures(before, patients, resamples, seed),
        "after": _figures(after, patients, resamples, seed),
        "ece_by_chance": _by_chance(after, seed),
        "bins_before": _bins(before),
        "bins_after": _bins(after),
    }


def reliability_bins(stated: Floats, truth: NDArray[np.bool_]) -> list[ReliabilityBin]:
    """The numbers of a reliability diagram, of (n,) stated probabilities and what was so.

    One a bin of those that hold anything, rising: the ten bins that ECE has.
    """
    bins = bin_of(stated)
    return [_bin(stated[bins == one], truth[bins == one]) for one in np.unique(bins)]


def _bin(stated: Floats, truth: NDArray[np.bool_]) -> ReliabilityBin:
    hits, n = int(truth.sum()), len(truth)
    low, high = clopper_pearson(hits, n)
    return {"stated": float(stated.mean()), "observed": hits / n, "low": low, "high": high, "n": n}


def _bins(questions: Sequence[Question]) -> list[ReliabilityBin]:
    scores, truth = ([getattr(one, what) for one in questions] for what in ("scores", "truth"))
    return reliability_bins(np.concatenate(scores), np.concatenate(truth))


def _choose(logits: Floats, targets: NDArray[Any], groups: Ints) -> Calibration:
    return choose_calibration(logits, targets, groups)


def _what_is_stated(logits: Floats, targets: NDArray[Any]) -> str:
    if targets.ndim == 2:
        return OF_LABELS
    return OF_FINDING if logits.shape[1] == 2 else OF_DECISION


def _questions(logits: Floats, targets: NDArray[Any], positive: int) -> list[Question]:
    """One of all images, or one a label of those where it is known."""
    from scipy.special import expit, softmax

    names = [str(i) for i in range(logits.shape[1])]
    if targets.ndim == 2:
        chances = expit(logits)
        labels = one_versus_rest(names, chances, targets, chances >= 0.5)
        return [one for one in labels if len(one.rows)]
    chances = softmax(logits, axis=1)
    decided = chances.argmax(axis=1)
    if len(names) == 2:
        return one_versus_rest(names, chances, targets, decided, positive)
    return [Question("", Sample(targets, decided, chances), np.arange(len(targets)))]


def _figures(
    questions: Sequence[Question], groups: Ints, resamples: int, seed: int
) -> dict[str, Figure]:
    drawn = resample([(one, METRICS) for one in questions], groups, resamples, seed)
    return {
        m.name: _figure(m, questions, groups, [values[m.name] for values in drawn]) for m in METRICS
    }


def _figure(
    metric: Metric, questions: Sequence[Question], groups: Ints, resampled: Sequence[Floats]
) -> Figure:
    """Its mean over the questions, as `measure` takes it over labels."""
    if len(questions) == 1:
        return figure(metric, questions[0].sample, groups, resampled[0])
    values = [metric.of(one.sample, np.ones((1, len(one.rows)))) for one in questions]
    value = float(np.mean(values, axis=0)[0])
    mean = bootstrapped(value, np.mean(resampled, axis=0), recentre=metric.recentre)
    return {**mean, "n": len(groups)}


def _by_chance(questions: Sequence[Question], seed: int) -> float:
    """The mean ECE of labels drawn by the very probabilities that were stated."""
    rng = np.random.default_rng(seed)
    return float(np.mean([_ece_of_draws(one.scores, rng) for one in questions]))


def _ece_of_draws(stated: Floats, rng: np.random.Generator) -> float:
    surplus = stated - (rng.random((DRAWS, len(stated))) < stated)
    gaps = np.abs(surplus @ np.eye(BINS)[bin_of(stated)])
    return float(gaps.sum(axis=1).mean() / len(stated))
