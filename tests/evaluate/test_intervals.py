from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from cxr.evaluate.intervals import bootstrapped, clopper_pearson, figure
from cxr.evaluate.metrics import binary
from cxr.evaluate.metrics.auroc import AUROC
from cxr.evaluate.metrics.sensitivity import SENSITIVITY


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


def test_a_proportion_of_dependent_images_is_bootstrapped() -> None:
    resampled = np.linspace(0.5, 1, 101)
    got = sensitivity_of([True, True, False, True], [0, 0, 1, 2], resampled)
    assert [got["low"], got["high"]] == pytest.approx([0.5125, 0.9875])


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
