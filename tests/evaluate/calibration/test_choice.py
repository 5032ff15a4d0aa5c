from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, softmax
from scipy.stats import sem

from cxr._stats.bootstrap import patient_weights
from cxr.errors import DataError
from cxr.evaluate.calibration import Calibration, choose_calibration
from cxr.evaluate.calibration.choice import cross_fitted, folds_of, image_losses, standard_error
from cxr.evaluate.predictions.table import cross_entropy


def draw(probabilities: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return (rng.random((len(probabilities), 1)) > probabilities.cumsum(axis=1)).sum(axis=1)


def simulate(
    n: int = 2000, factor: float = 1.0, bias: float = 0.0, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Logits of two classes, truth of which `factor` and `bias` are the right calibration."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(scale=2, size=(n, 2))
    truth = draw(softmax(logits * factor + [-bias / 2, bias / 2], axis=1), rng)
    return logits, truth, rng.integers(n // 2, size=n)


def test_patients_stay_together_and_folds_are_even() -> None:
    groups = np.random.default_rng(0).integers(100, size=400) * 7
    fold = folds_of(groups, seed=3)
    assert set(fold) == set(range(5))
    assert (pd.Series(fold).groupby(groups).nunique() == 1).all()
    assert set(pd.Series(fold).groupby(groups).first().value_counts()) <= {19, 20}
    assert set(folds_of(np.array([4, 9, 4]))) == {0, 1}


def test_no_fit_sees_a_patient_that_it_is_judged_on() -> None:
    rng = np.random.default_rng(1)
    groups = rng.integers(30, size=100)
    logits = np.c_[np.arange(100.0), np.ones(100)]
    seen: list[set[int]] = []

    def fit(z: np.ndarray, y: np.ndarray, some: np.ndarray) -> Calibration:
        np.testing.assert_array_equal(groups[z[:, 0].astype(int)], some)
        seen.append(set(some.tolist()))
        return Calibration("vector", (1.0, 1.0), (0.0, float(len(seen))))  # which fit it was

    found = cross_fitted(fit, logits, np.zeros(100, int), groups)
    which = found[:, 1].astype(int) - 2
    assert len(seen) == 5
    assert all(group not in seen[one] for group, one in zip(groups, which, strict=True))


def test_what_is_needed_is_chosen() -> None:
    assert choose_calibration(*simulate()).kind == "none"
    hot = choose_calibration(*simulate(factor=0.4))
    assert hot.kind == "temperature" and hot.temperature == pytest.approx(2.5, rel=0.1)
    crying_wolf = choose_calibration(*simulate(factor=0.8, bias=-1.5))
    assert crying_wolf.kind == "vector"
    assert crying_wolf.biases[1] - crying_wolf.biases[0] == pytest.approx(-1.5, rel=0.15)


def test_in_small_samples_the_simplest_wins() -> None:
    kinds = [choose_calibration(*simulate(n=40, seed=seed)).kind for seed in range(8)]
    assert kinds.count("none") >= 6


def test_several_labels_and_several_classes() -> None:
    rng = np.random.default_rng(2)
    logits = rng.normal(scale=2, size=(1500, 3))
    labels = (rng.random(logits.shape) < expit(logits + np.array([2, 0, -2]))).astype(float)
    labels[rng.random(logits.shape) < 0.2] = np.nan
    labels[:5] = np.nan  # images of which nothing is known
    found = choose_calibration(logits, labels, np.arange(1500))
    assert found.kind == "vector"
    np.testing.assert_allclose(found.biases, [2, 0, -2], atol=0.4)
    classes = draw(softmax(logits * 0.5, axis=1), rng)
    assert choose_calibration(logits, classes, np.arange(1500)).kind == "temperature"


def test_one_patient_alone_is_no_evidence() -> None:
    logits, truth, _ = simulate(n=50, factor=0.2)
    assert choose_calibration(logits, truth, np.zeros(50, int)).kind == "none"


@pytest.mark.parametrize(
    ("logits", "targets"),
    [
        ([[1.0, 0.0], [0.0, 1.0], [2.0, 0.0]], [0, 1, 0]),  # never wrong
        ([[1.0, 0.0], [0.0, 1.0], [2.0, 0.0]], [0, 0, 0]),  # one class
        ([[1.0, 0.0], [1.0, 0.0]], [1, 0]),
    ],
)
def test_tiny_sets_are_left_as_they_are(logits: list[list[float]], targets: list[int]) -> None:
    found = choose_calibration(logits, targets, range(len(targets)))
    assert found.kind == "none"


def test_losses_are_those_of_the_probabilities() -> None:
    logits, truth, _ = simulate(n=50)
    expected = cross_entropy(softmax(logits, axis=1), truth)
    np.testing.assert_allclose(image_losses(logits, truth), expected)
    labels = np.eye(2)[truth]
    labels[::3, 0] = np.nan
    np.testing.assert_allclose(image_losses(logits, labels), cross_entropy(expit(logits), labels))


def test_the_standard_error_is_that_of_patients() -> None:
    rng = np.random.default_rng(3)
    alone = rng.normal(size=50)
    assert standard_error(alone, np.arange(50)) == pytest.approx(sem(alone))
    groups = rng.permutation(np.arange(400) % 80)
    values = rng.normal(size=80)[groups] + rng.normal(size=400)
    weights = np.concatenate(list(patient_weights(groups, 4000, 0)))
    resampled = weights @ values / weights.sum(axis=1)
    assert standard_error(values, groups) == pytest.approx(resampled.std(), rel=0.05)
    assert standard_error(values, groups) > 1.5 * sem(values)


def test_logits_that_are_not_finite_are_refused() -> None:
    with pytest.raises(DataError, match="NaN"):
        choose_calibration([[np.inf, 0.0]], [0], [0])
