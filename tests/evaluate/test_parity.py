"""What `measure` says against scikit-learn and SciPy: figures, macro figures, whole intervals."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import special, stats
from sklearn import metrics as sk

from cxr._stats.bootstrap import patient_weights
from cxr.evaluate import make_predictions, measure

Score = Callable[[Any, Any, Any], float]  # of truth, scores and decisions
RATES: dict[str, Score] = {
    "sensitivity": lambda y, p, d: sk.recall_score(y, d),
    "specificity": lambda y, p, d: sk.recall_score(y, d, pos_label=0),
    "ppv": lambda y, p, d: sk.precision_score(y, d),
    "npv": lambda y, p, d: sk.precision_score(y, d, pos_label=0),
    "f1": lambda y, p, d: sk.f1_score(y, d),
    "auroc": lambda y, p, d: sk.roc_auc_score(y, p),
    "auprc": lambda y, p, d: sk.average_precision_score(y, p),
}
BINARY: dict[str, Score] = RATES | {
    "prevalence": lambda y, p, d: float(np.mean(y)),
    "accuracy": lambda y, p, d: sk.accuracy_score(y, d),
    "error_rate": lambda y, p, d: sk.zero_one_loss(y, d),
    "balanced_accuracy": lambda y, p, d: sk.balanced_accuracy_score(y, d),
    "mcc": lambda y, p, d: sk.matthews_corrcoef(y, d),
    "brier": lambda y, p, d: sk.brier_score_loss(y, p),
    "log_loss": lambda y, p, d: sk.log_loss(y, p, labels=[0, 1]),
}


def two_classes(n: int, seed: int, digits: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Truth, probabilities with many ties where `digits` are few, and patients of 1 to 5 images."""
    rng = np.random.default_rng(seed)
    patient = np.repeat(np.arange(n), rng.integers(1, 6, size=n))[:n]
    truth = (rng.random(n) < 0.4)[patient].astype(int)
    z = 2 * truth - 1 + rng.normal(size=n)[patient] + rng.normal(size=n)
    return truth, np.clip(np.round(1 / (1 + np.exp(-z)), digits), 0.01, 0.99), patient


@pytest.mark.parametrize("digits", [1, 9])
@pytest.mark.parametrize("seed", [0, 1])
def test_every_figure_of_two_classes(seed: int, digits: int) -> None:
    truth, p, patient = two_classes(300, seed, digits)
    names = [str(i) for i in range(300)]
    predictions = make_predictions(names, np.c_[1 - p, p], truth, "ab", patients=patient)
    got = measure(predictions, 0.4, resamples=100)
    for name, reference in BINARY.items():
        assert got[name]["value"] == pytest.approx(reference(truth, p, p >= 0.4)), name
    by_hand = sum(
        abs((truth[inside] - p[inside]).sum()) / 300
        for inside in (np.digitize(p, np.arange(1, 10) / 10) == i for i in range(10))
    )
    assert got["ece"]["value"] == pytest.approx(by_hand)
    wins = stats.mannwhitneyu(p[truth == 1], p[truth == 0]).statistic
    assert got["auroc"]["value"] == pytest.approx(wins / (truth.sum() * (1 - truth).sum()))


def test_scores_that_are_all_the_same_tell_nothing() -> None:
    truth = np.arange(40) < 10
    p = np.full(40, 0.6)
    names = [str(i) for i in range(40)]
    got = measure(make_predictions(names, np.c_[1 - p, p], truth.astype(int), "ab"), resamples=100)
    assert got["auroc"]["value"] == 0.5 and got["auprc"]["value"] == 0.25
    assert got["mcc"]["value"] is None and "decided alike" in got["mcc"]["reason"]
    assert got["npv"]["value"] is None and "decided negative" in got["npv"]["reason"]


@pytest.mark.parametrize("k", [3, 4])
def test_macro_figures_of_more_classes(k: int, simulate_classes: Any) -> None:
    predictions = simulate_classes(n=300, k=k, seed=k)
    y, p, d = predictions.targets, predictions.probabilities, predictions.decide()
    got, classes = measure(predictions, resamples=100), range(p.shape[1])
    for name, reference in RATES.items():
        each = [reference(y == i, p[:, i], d == i) for i in classes]
        assert got[name]["value"] == pytest.approx(np.mean(each)), name
    for name, reference in BINARY.items():
        if name in ("accuracy", "error_rate", "balanced_accuracy", "mcc"):
            assert got[name]["value"] == pytest.approx(reference(y, p, d)), name
    assert got["log_loss"]["value"] == pytest.approx(sk.log_loss(y, p))
    assert got["brier"]["value"] == pytest.approx(((p - np.eye(p.shape[1])[y]) ** 2).sum(1).mean())


def test_macro_figures_of_several_labels(simulate_labels: Any) -> None:
    predictions = simulate_labels(n=300)
    y, p = predictions.targets, predictions.probabilities
    got = measure(predictions, 0.3, resamples=100)
    for name, reference in BINARY.items():
        if name == "prevalence":
            continue
        known = [~np.isnan(y[:, i]) for i in range(3)]
        each = [reference(y[k, i], p[k, i], p[k, i] >= 0.3) for i, k in enumerate(known)]
        assert got[name]["value"] == pytest.approx(np.mean(each)), name


NEED_BOTH = {"auroc", "balanced_accuracy", "mcc", "calibration_slope", "calibration_intercept"}


@pytest.mark.parametrize(
    ("only", "undefined"),
    [(1, {"specificity", "npv"} | NEED_BOTH), (0, {"sensitivity", "auprc", "ppv"} | NEED_BOTH)],
)
def test_a_missing_class_is_null_with_its_reason_and_all_else_stands(
    only: int, undefined: set[str]
) -> None:
    """All decided as they are, so that one predictive value has no images either."""
    p = np.random.default_rng(0).uniform(0.5, 1, size=30) - (0 if only else 0.5)
    names = [str(i) for i in range(30)]
    got = measure(make_predictions(names, np.c_[1 - p, p], [only] * 30, "ab"), resamples=100)
    null = {
        name for name in got if isinstance(got[name], dict) and got[name].get("value", 0) is None
    }
    assert null - {"n_patients", "f1"} == undefined
    assert all(got[name]["reason"] for name in null)
    for name in set(BINARY) - null:
        if not (name == "f1" and only == 0):
            assert got[name]["value"] == pytest.approx(BINARY[name]([only] * 30, p, p >= 0.5)), name
    json.dumps(got, allow_nan=False)


def test_a_class_that_no_image_has(simulate_classes: Any) -> None:
    full = simulate_classes(n=300, k=4)
    rows = full.targets != 3
    predictions = make_predictions(
        list(full.table["path"][rows]), full.probabilities[rows], full.targets[rows], full.classes
    )
    y, p, d = predictions.targets, predictions.probabilities, predictions.decide()
    got = measure(predictions, resamples=100)
    assert got["balanced_accuracy"] == {"value": None, "reason": "a class has no images"}
    absent = got["per_class"]["covid"]
    assert all(absent[n]["value"] is None and absent[n]["reason"] for n in ("auroc", "sensitivity"))
    assert absent["specificity"]["value"] == pytest.approx((d != 3).mean())
    assert got["auroc"]["classes"] == 3 and got["specificity"]["classes"] == 4
    each = [sk.roc_auc_score(y == i, p[:, i]) for i in range(3)]
    assert got["auroc"]["value"] == pytest.approx(np.mean(each))
    assert got["log_loss"]["value"] == pytest.approx(sk.log_loss(y, p, labels=range(4)))


@pytest.mark.parametrize("name", ["auroc", "f1", "sensitivity"])
def test_a_whole_interval_from_repeated_rows_and_scikit_learn(name: str) -> None:
    """Each resample as a table with its rows repeated; each patient left out as a table without."""
    truth, p, patient = two_classes(90, seed=3, digits=9)
    names = [str(i) for i in range(90)]
    predictions = make_predictions(names, np.c_[1 - p, p], truth, "ab", patients=patient)
    got = measure(predictions, resamples=120, seed=5)[name]

    def score(rows: NDArray[Any]) -> float:
        return BINARY[name](truth[rows], p[rows], p[rows] >= 0.5)

    (weights,) = patient_weights(predictions.patient_groups, 120, 5)
    error = np.std([score(np.repeat(np.arange(90), w.astype(int))) for w in weights], ddof=1)
    value = score(np.arange(90))
    if name == "sensitivity":
        n, people = truth.sum(), len(set(patient[truth == 1]))
        few = stats.t.ppf(0.975, n - 1) / stats.t.ppf(0.975, people - 1)
        trials = min(value * (1 - value) / error**2 * few**2, n)
        hits, misses = value * trials, (1 - value) * trials
        ends = stats.beta.ppf(0.025, hits, misses + 1), stats.beta.ppf(0.975, hits + 1, misses)
    else:
        people = len(set(patient))
        left = [score(np.flatnonzero(patient != one)) for one in range(people)]
        freedom = min(2 * people / (stats.kurtosis(left, fisher=False) - 1), people)
        reach = stats.t.ppf(0.975, freedom) * error / (value * (1 - value))
        ends = special.expit(special.logit(value) + np.array([-reach, reach]))
    assert (got["low"], got["high"]) == pytest.approx(tuple(ends))
