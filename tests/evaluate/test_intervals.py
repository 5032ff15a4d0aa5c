from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import special, stats
from scipy.stats import binomtest

from cxr.evaluate.intervals import (
    MANY,
    bootstrapped,
    clopper_pearson,
    degrees_of_freedom,
    figure,
    with_interval,
)
from cxr.evaluate.metrics import AUROC, SENSITIVITY, Sample, binary
from cxr.evaluate.metrics.decisions import MCC
from cxr.evaluate.metrics.probability import LOG_LOSS
from cxr.evaluate.metrics.recalibration import CALIBRATION_SLOPE


@pytest.mark.parametrize("trials", [1, 7, 390])
@pytest.mark.parametrize("share", [0, 0.3, 1])
@pytest.mark.parametrize("level", [0.9, 0.95])
def test_clopper_pearson_equals_scipy(trials: int, share: float, level: float) -> None:
    hits = round(share * trials)
    theirs = binomtest(hits, trials).proportion_ci(level, method="exact")
    assert clopper_pearson(hits, trials, level) == pytest.approx((theirs.low, theirs.high))


def sensitivity_of(positive: list[bool], groups: list[int], resampled: np.ndarray) -> dict:
    decided = np.array(positive)
    sample = binary(np.ones(len(decided), bool), decided.astype(float), decided)
    return figure(SENSITIVITY, sample, np.array(groups), resampled, 0.95)


def test_a_proportion_of_independent_images_is_exact() -> None:
    got = sensitivity_of([True, True, False, True], [0, 1, 2, 3], np.array([0.1, 0.2]))
    low, high = clopper_pearson(3, 4)
    assert got == {"value": 0.75, "low": low, "high": high, "n": 4}


def test_a_proportion_of_dependent_images_varies_as_the_bootstrap_says() -> None:
    """As many independent images as would vary as much: Korn and Graubard (1998)."""
    decided = np.arange(100) % 10 > 0
    resampled = np.linspace(0.7, 1, 101)
    got = sensitivity_of(list(decided), list(np.arange(100) // 5), resampled)
    few = stats.t.ppf(0.975, 99) / stats.t.ppf(0.975, 19)
    trials = 0.9 * 0.1 / resampled.var(ddof=1) * few**2
    assert 5 < trials < 20
    low = stats.beta.ppf(0.025, 0.9 * trials, 0.1 * trials + 1)
    high = stats.beta.ppf(0.975, 0.9 * trials + 1, 0.1 * trials)
    assert [got["low"], got["high"]] == pytest.approx([low, high])


def test_images_count_no_more_than_once() -> None:
    resampled = np.linspace(0.89, 0.91, 101)  # patients whose errors happen to balance
    got = sensitivity_of([i % 10 > 0 for i in range(100)], [i // 5 for i in range(100)], resampled)
    assert [got["low"], got["high"]] == pytest.approx(clopper_pearson(90, 100))


@pytest.mark.parametrize(
    ("metric", "value", "to", "back"),
    [
        (AUROC, 0.9, special.logit, special.expit),
        (MCC, 0.6, np.arctanh, np.tanh),
        (LOG_LOSS, 0.3, np.log, np.exp),
        (CALIBRATION_SLOPE, -0.2, lambda x: x, lambda x: x),
    ],
)
@pytest.mark.parametrize("freedom", [5, MANY])
def test_the_interval_is_of_student_on_a_scale_without_limits(
    metric: Any, value: float, to: Any, back: Any, freedom: float
) -> None:
    resampled = value + np.random.default_rng(0).normal(size=500) * 0.03
    got = with_interval(metric, value, resampled, 0.95, freedom)
    step = 1e-6
    error = resampled.std(ddof=1) * (to(value + step) - to(value - step)) / (2 * step)
    ends = stats.t.interval(0.95, freedom, to(value), error)
    assert [got["low"], got["high"]] == pytest.approx(back(np.array(ends)), rel=1e-5)


def test_a_figure_at_its_limit_has_percentiles() -> None:
    got = with_interval(AUROC, 1.0, np.linspace(0.9, 1, 101), 0.9)
    assert [got["low"], got["high"]] == pytest.approx([0.905, 0.995])


@pytest.mark.parametrize(("patients", "close"), [(60, 0.01), (1000, 0.2)])
def test_few_patients_that_err_leave_few_degrees_of_freedom(patients: int, close: float) -> None:
    """Up to 250 patients each is left out, so it is the formula; of more, parts, and nearly."""
    wrong = np.arange(patients) % (patients // 10) == 3
    p = np.where(wrong, 0.9, 0.1)
    sample = Sample(np.zeros(patients, int), wrong.astype(int), np.c_[1 - p, p])
    got = degrees_of_freedom(LOG_LOSS, sample, np.arange(patients) * 3)
    kurtosis = stats.kurtosis(wrong.astype(float), fisher=False)
    assert got == pytest.approx(2 * patients / (kurtosis - 1), rel=close)


def test_even_patients_leave_as_many_degrees_as_there_are() -> None:
    rng = np.random.default_rng(0)
    p = np.clip(0.5 + 0.1 * rng.uniform(-1, 1, size=200), 0, 1)
    sample = Sample(np.zeros(200, int), np.zeros(200, int), np.c_[1 - p, p])
    assert degrees_of_freedom(LOG_LOSS, sample, np.arange(200)) == pytest.approx(200)


def test_no_errors_among_few_patients_is_not_certainty() -> None:
    got = sensitivity_of([True] * 6, [0, 0, 0, 1, 1, 2], np.ones(100))
    assert got["value"] == got["high"] == 1
    assert got["low"] == pytest.approx(0.025 ** (1 / 3))  # three patients, not six images


def test_percentiles_of_the_defined_resamples() -> None:
    values = np.r_[np.linspace(0, 1, 95), [np.nan] * 5]
    got = bootstrapped(0.5, values, 0.9)
    assert got == {"value": 0.5, "low": pytest.approx(0.05), "high": pytest.approx(0.95)}


def test_too_few_defined_resamples_give_no_interval() -> None:
    got = bootstrapped(0.5, np.r_[np.linspace(0, 1, 89), [np.nan] * 11], 0.95)
    assert "low" not in got
    assert "too few patients" in got["reason"]


def test_resamples_that_all_agree_give_no_interval() -> None:
    assert "same value" in bootstrapped(1.0, np.ones(100), 0.95)["reason"]


def test_an_inflated_figure_is_recentred_and_stays_above_zero() -> None:
    values = np.linspace(0.02, 0.08, 1001)
    got = bootstrapped(0.02, values, 0.95, recentre=True)
    assert got["low"] == 0
    assert got["high"] == pytest.approx(0.02 + 0.95 * 0.03)


def test_an_undefined_figure_says_why() -> None:
    sample = binary(np.ones(3, bool), np.array([0.1, 0.2, 0.3]), np.ones(3, bool))
    got = figure(AUROC, sample, np.arange(3), np.full(100, np.nan), 0.95)
    assert got["value"] is None
    assert "one class" in got["reason"]
