"""Every metric against scikit-learn, plain and with a resample's weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn import metrics as sk

from cxr._stats.bootstrap import patient_weights
from cxr.evaluate import Predictions
from cxr.evaluate.metrics import ONE_FINDING, OVERALL, BinarySample, Sample, binary

Weights = NDArray[np.float64]
METRICS = {metric.name: metric for metric in (*ONE_FINDING, *OVERALL)}


def flipped(rate: Callable[..., float]) -> Callable[[BinarySample, Weights], float]:
    return lambda s, w: rate(~s.truth, ~s.positive, sample_weight=w)


def ece_by_hand(s: Sample, w: Weights) -> float:
    total, bins = 0.0, np.digitize(s.confidence, np.arange(1, 10) / 10)
    for one in range(10):
        inside = bins == one
        if w[inside].sum():
            stated = np.average(s.confidence[inside], weights=w[inside])
            seen = np.average(s.outcome[inside], weights=w[inside])
            total += w[inside].sum() * abs(stated - seen)
    return total / w.sum()


BINARY: dict[str, Callable[[Any, Weights], float]] = {
    "prevalence": lambda s, w: np.average(s.truth, weights=w),
    "auroc": lambda s, w: sk.roc_auc_score(s.truth, s.scores, sample_weight=w),
    "auprc": lambda s, w: sk.average_precision_score(s.truth, s.scores, sample_weight=w),
    "sensitivity": lambda s, w: sk.recall_score(s.truth, s.positive, sample_weight=w),
    "specificity": flipped(sk.recall_score),
    "ppv": lambda s, w: sk.precision_score(s.truth, s.positive, sample_weight=w),
    "npv": flipped(sk.precision_score),
    "f1": lambda s, w: sk.f1_score(s.truth, s.positive, sample_weight=w),
    "brier": lambda s, w: sk.brier_score_loss(s.truth, s.scores, sample_weight=w),
}
ANY: dict[str, Callable[[Any, Weights], float]] = {
    "accuracy": lambda s, w: sk.accuracy_score(s.actual, s.decided, sample_weight=w),
    "error_rate": lambda s, w: sk.zero_one_loss(s.actual, s.decided, sample_weight=w),
    "balanced_accuracy": lambda s, w: sk.balanced_accuracy_score(
        s.actual, s.decided, sample_weight=w
    ),
    "mcc": lambda s, w: sk.matthews_corrcoef(s.actual, s.decided, sample_weight=w),
    "log_loss": lambda s, w: sk.log_loss(s.actual, s.probabilities, sample_weight=w),
    "ece": ece_by_hand,
}


def binary_sample(predictions: Predictions) -> BinarySample:
    scores = predictions.probabilities[:, 1]
    return binary(predictions.targets == 1, scores, scores >= 0.4)


def compare(name: str, sample: Sample, groups: NDArray[np.int64], reference: Any) -> None:
    plain = np.ones((1, len(groups)))
    resampled = next(patient_weights(groups, 5, seed=1))
    weights = np.concatenate([plain, resampled])
    ours = METRICS[name].of(sample, weights)
    theirs = [reference(sample, w) for w in weights]
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("name", [*BINARY, *ANY])
def test_two_classes(name: str, ties: bool, simulate_binary: Any) -> None:
    predictions = simulate_binary(ties=ties and name != "log_loss")  # a tie at 0 is clipped there
    compare(name, binary_sample(predictions), predictions.patient_groups, (BINARY | ANY)[name])


@pytest.mark.parametrize("name", ANY)
def test_more_classes(name: str, simulate_classes: Any) -> None:
    predictions = simulate_classes(k=4)
    sample = Sample(predictions.targets, predictions.decide(), predictions.probabilities)
    compare(name, sample, predictions.patient_groups, ANY[name])


def test_brier_of_more_classes_is_summed_over_them(simulate_classes: Any) -> None:
    predictions = simulate_classes()
    sample = Sample(predictions.targets, predictions.decide(), predictions.probabilities)
    theirs = sk.brier_score_loss(
        predictions.targets, predictions.probabilities, labels=[0, 1, 2], scale_by_half=False
    )
    assert METRICS["brier"].of(sample, np.ones((1, len(predictions))))[0] == pytest.approx(theirs)


NEEDS_BOTH = {"balanced_accuracy", "mcc", "calibration_slope", "calibration_intercept"}
UNDEFINED_WITHOUT = {
    "positives": {"auroc", "auprc", "sensitivity", *NEEDS_BOTH},
    "negatives": {"auroc", "specificity", *NEEDS_BOTH},
}


@pytest.mark.parametrize("missing", UNDEFINED_WITHOUT)
def test_one_class_leaves_undefined_what_needs_both(missing: str) -> None:
    truth = np.full(4, missing == "negatives")
    sample = binary(truth, np.array([0.1, 0.4, 0.6, 0.9]), np.array([False, False, True, True]))
    values = {name: metric.of(sample, np.ones((1, 4)))[0] for name, metric in METRICS.items()}
    assert {name for name, value in values.items() if np.isnan(value)} == UNDEFINED_WITHOUT[missing]


def test_predictive_values_are_undefined_where_nothing_was_decided_so() -> None:
    truth, scores = np.array([True, False]), np.array([0.8, 0.7])
    none = binary(truth, scores, np.array([False, False]))
    every = binary(truth, scores, np.array([True, True]))
    one = np.ones((1, 2))
    assert np.isnan(METRICS["ppv"].of(none, one)[0]) and METRICS["npv"].of(none, one)[0] == 0.5
    assert np.isnan(METRICS["npv"].of(every, one)[0]) and METRICS["ppv"].of(every, one)[0] == 0.5


def test_every_metric_has_a_name_of_its_own_and_a_reason() -> None:
    assert len(METRICS) == len(ONE_FINDING) + len(OVERALL)
    assert all(metric.undefined for metric in METRICS.values())
