from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest
from scipy.special import expit, logit
from scipy.stats import norm

from cxr.bundle.task import log_odds_shift
from cxr.errors import DataError, UsageError
from cxr.evaluate.calibration import Calibration, at_prevalence

NONE = Calibration("none", (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))


TEMPERATURE = Calibration("temperature", (0.5, 0.5), (0.0, 0.0))


VECTOR = Calibration("vector", (0.5, 2.0), (-0.25, 0.25))


@pytest.mark.parametrize("one", [NONE, TEMPERATURE, VECTOR])
def test_what_is_written_is_read(one: Calibration) -> None:
    assert Calibration.from_json(json.loads(json.dumps(one.to_json()))) == one


@pytest.mark.parametrize("one", [NONE, TEMPERATURE, VECTOR])
def test_a_bundle_keeps_it(one: Calibration) -> None:
    fields = json.loads(json.dumps(one.for_bundle()))
    assert Calibration.from_bundle(**fields, classes=len(one.factors)) == one


def test_a_bundle_from_before_has_a_temperature_only() -> None:
    assert Calibration.from_bundle(2.0, None, 2) == TEMPERATURE
    assert Calibration.from_bundle(1.0, None, 3) == NONE
    assert VECTOR.for_bundle()["temperature"] == 1


def test_logits_are_multiplied_and_shifted() -> None:
    logits = np.array([[1.0, 3.0], [-2.0, 0.0]], np.float32)
    found = VECTOR.apply(logits)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, [[0.25, 6.25], [-1.25, 0.25]])
    np.testing.assert_array_equal(TEMPERATURE.apply(logits), logits / 2)
    np.testing.assert_allclose(VECTOR.apply([[1, 3]]), [[0.25, 6.25]])


@pytest.mark.parametrize("shape", [(2,), (2, 3), (1, 2, 2)])
def test_logits_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match="do not fit a calibration of 2"):
        VECTOR.apply(np.zeros(shape))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"kind": "isotonic"}, "kind 'isotonic'"),
        ({"kind": ["vector"]}, "kind"),
        ({"factors": (0.0, 1.0)}, "above 0"),
        ({"factors": (-1.0, 1.0)}, "above 0"),
        ({"factors": (float("nan"), 1.0)}, "factors"),
        ({"factors": (True, 1.0)}, "factors"),
        ({"factors": ("1", "1")}, "factors"),
        ({"factors": ()}, "factors"),
        ({"biases": (float("inf"), 0.0)}, "biases"),
        ({"biases": (0.0,)}, "as many"),
        ({"kind": "temperature"}, "not of kind 'temperature'"),
        ({"kind": "none", "biases": (0.0, 0.0)}, "not of kind 'none'"),
    ],
)
def test_what_is_no_calibration_is_refused(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        Calibration(**{**asdict(VECTOR), **change})


@pytest.mark.parametrize(
    "found",
    [
        None,
        [],
        {},
        {"kind": "vector", "factors": [1.0]},
        {"kind": "vector", "factors": [1.0], "biases": [0.0], "more": 1},
        {"kind": "vector", "factors": 1.0, "biases": 0.0},
        {"kind": "vector", "factors": {"0": 1.0}, "biases": [0.0]},
    ],
)
def test_damaged_json_is_refused(found: object) -> None:
    with pytest.raises(DataError, match="calibration refused"):
        Calibration.from_json(found)


def test_it_is_bayes_rule_with_another_prior() -> None:
    """Scores of two normal populations: the posterior is known at any prevalence."""
    score = np.linspace(-3, 4, 50)
    ill, healthy = norm.pdf(score, 1), norm.pdf(score, 0)

    def posterior(share: float) -> np.ndarray:
        return share * ill / (share * ill + (1 - share) * healthy)

    np.testing.assert_allclose(at_prevalence(posterior(0.74), 0.74, 0.05), posterior(0.05))
    np.testing.assert_allclose(at_prevalence(posterior(0.1), 0.1, 0.6), posterior(0.6))


def test_the_shift_is_the_same_correction_in_log_odds() -> None:
    p = np.array([0.01, 0.4, 0.9])
    shifted = expit(logit(p) + log_odds_shift(0.3, 0.8))
    np.testing.assert_allclose(at_prevalence(p, 0.3, 0.8), shifted)


def test_corrected_probabilities_are_calibrated_where_the_finding_is_rarer() -> None:
    rng = np.random.default_rng(0)
    n = 200_000
    truth = rng.random(n) < 0.1
    score = rng.normal(size=n) + 1.5 * truth
    trained = expit(1.5 * score - 1.5**2 / 2)  # right where half of the images have the finding
    corrected = at_prevalence(trained, 0.5, 0.1)
    for low in np.arange(0, 0.9, 0.1):
        inside = (corrected >= low) & (corrected < low + 0.1)
        assert truth[inside].mean() == pytest.approx(corrected[inside].mean(), abs=0.03)


def test_certainty_stays_and_so_does_what_was_right_already() -> None:
    np.testing.assert_array_equal(at_prevalence([0.0, 1.0], 0.5, 0.01), [0.0, 1.0])
    np.testing.assert_allclose(at_prevalence([0.2, 0.7], 0.3, 0.3), [0.2, 0.7])


@pytest.mark.parametrize("shares", [(0.0, 0.5), (0.5, 1.0), (float("nan"), 0.5), (0.5, -0.1)])
def test_a_prevalence_that_is_no_share_is_refused(shares: tuple[float, float]) -> None:
    with pytest.raises(UsageError, match="above 0 and below 1"):
        at_prevalence([0.5], *shares)
