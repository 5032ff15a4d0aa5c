"""Slope and intercept against scikit-learn's logistic regression and SciPy's root finder."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from cxr._stats.bootstrap import patient_weights
from cxr.evaluate import make_predictions, measure
from cxr.evaluate.metrics import BinarySample, binary
from cxr.evaluate.metrics.recalibration import (
    BINS,
    CALIBRATION_INTERCEPT,
    CALIBRATION_SLOPE,
    log_odds,
)

Floats = NDArray[np.float64]
METRICS = (CALIBRATION_SLOPE, CALIBRATION_INTERCEPT)


def sample_of(
    n: int, seed: int = 0, digits: int = 9, stretch: float = 2.0, shift: float = 0.5
) -> BinarySample:
    """Findings drawn at log-odds z, told as `stretch * z - shift`: slope about 1 / stretch."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=n) * 1.5
    truth = rng.random(n) < 1 / (1 + np.exp(-z))
    scores = np.round(1 / (1 + np.exp(-(stretch * z - shift))), digits)
    return binary(truth, scores, scores >= 0.5)


def by_others(s: BinarySample, w: Floats) -> tuple[float, float]:
    """Slope by scikit-learn, intercept as the root of the likelihood's derivative."""
    x = log_odds(s.scores)
    free = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-10)
    free.fit(x[:, None], s.truth, sample_weight=w)
    held = brentq(lambda a: w @ (s.truth - expit(a + x)), -40, 40, xtol=1e-10)
    return float(free.coef_[0, 0]), float(held)


def weights_of(n: int, resamples: int = 4) -> Floats:
    groups = np.arange(n) // 2
    return np.concatenate([np.ones((1, n)), next(patient_weights(groups, resamples, seed=1))])


@pytest.mark.parametrize(("n", "digits"), [(BINS, 9), (600, 2)])
def test_every_resample_is_exact_with_few_distinct_scores(n: int, digits: int) -> None:
    sample = sample_of(n, digits=digits)
    sample = binary(sample.truth, np.clip(sample.scores, 0.01, 0.98), sample.positive)
    assert len(np.unique(sample.scores)) <= BINS
    weights = weights_of(n)
    theirs = np.array([by_others(sample, w) for w in weights])
    for metric, column in zip(METRICS, theirs.T, strict=True):
        np.testing.assert_allclose(metric.of(sample, weights), column, atol=2e-5)


def test_many_scores_the_figure_is_exact_and_resamples_nearly() -> None:
    """Errors of a tenth of the spread would widen an interval by half a percent."""
    sample = sample_of(1500)
    weights = weights_of(1500, resamples=12)
    theirs = np.array([by_others(sample, w) for w in weights])
    for metric, column in zip(METRICS, theirs.T, strict=True):
        ours = metric.of(sample, weights)
        assert ours[0] == pytest.approx(column[0], abs=2e-5)
        assert np.sqrt(np.mean((ours - column)[1:] ** 2)) < 0.1 * column[1:].std()


def test_temperature_and_shift_are_found_again() -> None:
    told_right = sample_of(20_000, stretch=1.0, shift=0.0)
    too_extreme = sample_of(20_000, stretch=2.0, shift=0.0)
    too_low = sample_of(20_000, stretch=1.0, shift=0.7)
    one = np.ones((1, 20_000))
    slopes = [CALIBRATION_SLOPE.of(s, one)[0] for s in (told_right, too_extreme, too_low)]
    assert slopes == pytest.approx([1, 0.5, 1], abs=0.05)
    assert CALIBRATION_INTERCEPT.of(told_right, one)[0] == pytest.approx(0, abs=0.06)
    assert CALIBRATION_INTERCEPT.of(too_low, one)[0] == pytest.approx(0.7, abs=0.06)


def test_probabilities_of_all_but_0_and_1() -> None:
    """Where plain Newton steps overshoot: hardly any curvature at the start."""
    rng = np.random.default_rng(0)
    truth = np.arange(400) < 200
    scores = np.where(truth ^ (rng.random(400) < 0.05), 1.0, 0.0)
    scores[:6] = [1e-9, 0.2, 0.5, 0.7, 1 - 1e-9, 0.9]
    sample = binary(truth, scores, scores >= 0.5)
    slope, intercept = by_others(sample, np.ones(400))
    one = np.ones((1, 400))
    assert CALIBRATION_SLOPE.of(sample, one)[0] == pytest.approx(slope, abs=1e-4)
    assert CALIBRATION_INTERCEPT.of(sample, one)[0] == pytest.approx(intercept, abs=1e-3)


@pytest.mark.parametrize("scores", [[0.1, 0.2, 0.2, 0.8], [0.8, 0.9, 0.1, 0.3], [0.4] * 4])
def test_no_finite_slope(scores: list[float]) -> None:
    p, truth = np.array(scores), [0, 0, 1, 1]
    predictions = make_predictions("abcd", np.c_[1 - p, p], truth, ("normal", "sick"))
    got: Any = measure(predictions, resamples=100)
    assert got["calibration_slope"]["value"] is None
    assert "no finite fit" in got["calibration_slope"]["reason"]
    assert np.isfinite(got["calibration_intercept"]["value"])
