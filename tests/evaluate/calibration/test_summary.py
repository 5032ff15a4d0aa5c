from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from scipy.special import expit, log_softmax, logit, softmax
from scipy.stats import binomtest
from sklearn.metrics import brier_score_loss, log_loss

from cxr.errors import DataError
from cxr.evaluate import Predictions, measure
from cxr.evaluate.calibration import (
    Calibration,
    choose_calibration,
    reliability_bins,
    summarise_calibration,
)

NONE = Calibration("none", (1.0, 1.0), (0.0, 0.0))


def facts_of(logits: Any, targets: Any, groups: Any, **options: Any) -> dict[str, Any]:
    chosen = choose_calibration(logits, targets, groups)
    return summarise_calibration(logits, targets, groups, chosen, **{"resamples": 100, **options})


def loud(n: int = 1000, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Logits three times too large."""
    rng = np.random.default_rng(seed)
    log_odds = rng.normal(scale=2, size=n)
    truth = (rng.random(n) < expit(log_odds)).astype(int)
    return np.c_[-log_odds, log_odds] * 1.5, truth, rng.integers(n // 2, size=n)


def test_scaling_mends_a_loud_model_on_patients_it_has_not_seen() -> None:
    found = facts_of(*loud())
    assert (found["kind"], found["crossfitted"], found["folds"]) == ("temperature", True, 5)
    assert found["before"]["ece"]["low"] > 0.05
    assert found["after"]["ece"]["value"] < 0.04
    for name in ("ece", "brier", "log_loss"):
        assert found["after"][name]["value"] < found["before"][name]["value"]
        assert found["after"][name]["low"] < found["after"][name]["high"]
        assert found["after"][name]["n"] == 1000
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_figures_are_scikit_learns() -> None:
    logits, truth, groups = loud(300)
    found = facts_of(logits, truth, groups)
    p = softmax(logits, axis=1)[:, 1]
    assert found["before"]["brier"]["value"] == pytest.approx(brier_score_loss(truth, p))
    assert found["before"]["log_loss"]["value"] == pytest.approx(log_loss(truth, p))
    edges = np.linspace(0, 1, 11)[1:-1]
    bins = np.digitize(p, edges)
    gaps = [abs((p - truth)[bins == one].sum()) for one in range(10)]
    assert found["before"]["ece"]["value"] == pytest.approx(sum(gaps) / 300)


@pytest.mark.parametrize("kind", ["simulate_binary", "simulate_classes", "simulate_labels"])
def test_before_is_what_measure_says_of_the_same_predictions(
    kind: str, request: pytest.FixtureRequest
) -> None:
    predictions: Predictions = request.getfixturevalue(kind)()
    p = np.clip(predictions.probabilities, 1e-9, 1 - 1e-9)
    logits = logit(p) if predictions.multi_label else np.log(p)
    calibration = Calibration("none", (1.0,) * p.shape[1], (0.0,) * p.shape[1])
    found = summarise_calibration(
        logits, predictions.targets, predictions.patient_groups, calibration,
        crossfit=False, resamples=100, seed=4,
    )  # fmt: skip
    expected = measure(predictions, resamples=100, seed=4)
    for name in ("ece", "brier", "log_loss"):
        parts = ("value",) if predictions.multi_label else ("value", "low", "high")
        for part in parts:
            assert found["before"][name][part] == pytest.approx(expected[name][part], abs=1e-6)
    assert found["after"] == found["before"]


def test_a_calibration_of_other_images_is_judged_as_it_is() -> None:
    logits, truth, groups = loud(400)
    half = Calibration("temperature", (0.5, 0.5), (0.0, 0.0))
    found = summarise_calibration(logits, truth, groups, half, crossfit=False, resamples=100)
    assert (found["crossfitted"], found["folds"]) == (False, 0)
    expected = -log_softmax(logits / 2, axis=1)[np.arange(400), truth].mean()
    assert found["after"]["log_loss"]["value"] == pytest.approx(expected)


def test_noise_is_not_calibrated_away() -> None:
    """Fitted and judged on the same few images, any scaling looks like a gain; not here."""
    rng = np.random.default_rng(1)
    gains = []
    for seed in range(4):
        logits, truth, groups = rng.normal(size=(40, 2)), rng.integers(2, size=40), np.arange(40)
        found = facts_of(logits, truth, groups, seed=seed)
        best = Calibration("temperature", (0.05, 0.05), (0.0, 0.0))  # all but 0.5 always
        ideal = summarise_calibration(logits, truth, groups, best, crossfit=False, resamples=100)
        gains.append(ideal["after"]["log_loss"]["value"] - found["after"]["log_loss"]["value"])
    assert np.mean(gains) < 0


def test_a_perfect_model_shows_the_ece_of_chance() -> None:
    rng = np.random.default_rng(2)
    values, by_chance = [], []
    for _ in range(30):
        log_odds = rng.normal(scale=3, size=200)
        truth = (rng.random(200) < expit(log_odds)).astype(int)
        logits = np.c_[np.zeros(200), log_odds]
        found = summarise_calibration(
            logits, truth, np.arange(200), NONE, crossfit=False, resamples=100
        )
        values.append(found["before"]["ece"]["value"])
        by_chance.append(found["ece_by_chance"])
    assert np.mean(values) == pytest.approx(np.mean(by_chance), rel=0.1)


def test_the_finding_may_be_the_first_class() -> None:
    logits, truth, groups = loud(300)
    one = facts_of(logits, truth, groups)
    other = facts_of(logits[:, ::-1], 1 - truth, groups, positive=0)
    assert other["bins_before"] == one["bins_before"]


def test_images_of_one_patient_are_left_as_they_are() -> None:
    logits, truth, _ = loud(20)
    found = facts_of(logits, truth, np.full(20, 7))
    assert (found["kind"], found["folds"]) == ("none", 1)
    assert found["after"]["ece"]["value"] == found["before"]["ece"]["value"]
    assert "every resample" in found["after"]["ece"]["reason"]


def test_groups_that_do_not_fit_are_refused() -> None:
    with pytest.raises(DataError, match="groups"):
        summarise_calibration(np.zeros((3, 2)), [0, 1, 0], [0, 1], NONE)


def test_bins_have_exact_intervals() -> None:
    stated = np.array([0.05, 0.01, 0.75, 0.71, 0.79, 1.0])
    truth = np.array([0, 0, 1, 1, 0, 1], bool)
    found = reliability_bins(stated, truth)
    assert [one["n"] for one in found] == [2, 3, 1]
    assert [one["stated"] for one in found] == pytest.approx([0.03, 0.75, 1.0])
    assert [one["observed"] for one in found] == pytest.approx([0, 2 / 3, 1])
    for one, hits in zip(found, (0, 2, 1), strict=True):
        interval = binomtest(hits, one["n"]).proportion_ci(0.95)
        assert (one["low"], one["high"]) == pytest.approx((interval.low, interval.high))
