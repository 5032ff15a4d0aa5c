from __future__ import annotations

import numpy as np

from cxr._stats import bootstrap
from cxr._stats.bootstrap import patient_weights
from cxr.evaluate.intervals import bootstrapped


def all_weights(groups: np.ndarray, resamples: int, seed: int = 0) -> np.ndarray:
    return np.concatenate(list(patient_weights(groups, resamples, seed)))


def test_images_of_one_patient_come_together_and_patients_are_drawn_n_times() -> None:
    groups = np.array([0, 1, 1, 2, 0, 3])
    weights = all_weights(groups, 50)
    assert weights.shape == (50, 6)
    np.testing.assert_array_equal(weights[:, 0], weights[:, 4])
    np.testing.assert_array_equal(weights[:, 1], weights[:, 2])
    np.testing.assert_array_equal(weights[:, [0, 1, 3, 5]].sum(axis=1), 4)


def test_patients_are_drawn_as_often_as_binomial_says() -> None:
    weights = all_weights(np.arange(20), 5000)
    np.testing.assert_allclose(weights.mean(axis=0), 1, atol=0.06)
    np.testing.assert_allclose(weights.var(), 20 * 1 / 20 * 19 / 20, rtol=0.02)


def test_the_seed_decides() -> None:
    groups = np.arange(9)
    np.testing.assert_array_equal(all_weights(groups, 10, 3), all_weights(groups, 10, 3))
    assert (all_weights(groups, 10, 3) != all_weights(groups, 10, 4)).any()


def test_memory_is_bounded() -> None:
    sizes = [w.size for w in patient_weights(np.arange(1000), 5000, 0)]
    assert max(sizes) <= bootstrap.CELLS_AT_ONCE
    assert sum(sizes) == 5_000_000


def test_intervals_cover_the_truth_with_patients_and_not_with_images() -> None:
    """Accuracy of 40 patients with 5 images that err together: 95% means 95%, nearly."""
    rng = np.random.default_rng(0)
    truth, runs = 0.7, 300
    covered = {"patients": 0, "images": 0}
    patients = np.repeat(np.arange(40), 5)
    for run in range(runs):
        right = np.where(
            rng.random(200) < 0.8, (rng.random(40) < truth)[patients], rng.random(200) < truth
        )
        for unit, groups in (("patients", patients), ("images", np.arange(200))):
            values = (all_weights(groups, 200, run) @ right) / 200
            interval = bootstrapped(right.mean(), values, 0.95)
            covered[unit] += interval["low"] <= truth <= interval["high"]
    assert 0.89 <= covered["patients"] / runs <= 0.98
    assert covered["images"] / runs < 0.8
