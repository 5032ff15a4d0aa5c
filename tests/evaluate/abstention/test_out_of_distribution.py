from __future__ import annotations

import numpy as np
import pytest

from cxr.bundle.abstention import NotFitted, OutOfDistributionDetector
from cxr.evaluate.abstention.out_of_distribution import fit_distribution, fit_out_of_distribution


def fitted(*args: object, **options: object) -> OutOfDistributionDetector:
    rule = fit_out_of_distribution(*args, **options)  # type: ignore[arg-type]
    assert isinstance(rule, OutOfDistributionDetector), rule
    return rule


def usual(rng: np.random.Generator, n: int, d: int = 30) -> np.ndarray:
    """A few strong directions and noise, on scales that differ by a thousand."""
    ways = np.random.default_rng(99).normal(size=(5, d))
    x = rng.normal(size=(n, 5)) @ ways + 0.3 * rng.normal(size=(n, d))
    return (x * np.logspace(-1, 2, d) + 7).astype(np.float32)


def measures(rng: np.random.Generator, n: int) -> dict[str, np.ndarray]:
    return {"features": usual(rng, n), "middle": usual(rng, n, 12), "layout": usual(rng, n, 20)}


def test_distance_is_mahalanobis_by_the_covariance_written_out() -> None:
    rng = np.random.default_rng(0)
    x, new = usual(rng, 500), usual(rng, 20).astype(np.float64)
    found = fit_distribution(x, 4)
    scale = (x - x.mean(0)).std()
    z = (x - x.mean(0)) / scale
    values, vectors = np.linalg.eigh(np.cov(z.T, ddof=1))
    outside = (z.var(0).sum() - values[-4:].sum()) / 26
    covariance = outside * np.eye(30)
    for value, vector in zip(values[-4:], vectors.T[-4:], strict=True):
        covariance += (value - outside) * np.outer(vector, vector)
    moved = (new - x.mean(0)) / scale
    squared = np.einsum("ij,jk,ik->i", moved, np.linalg.inv(covariance), moved)
    np.testing.assert_allclose(found.log_distance(new), 0.5 * np.log(squared), rtol=2e-3)


def test_a_feature_that_few_images_show_sends_none_of_them_far_off() -> None:
    """As many features of a trained network are: nothing in nearly all images, a little in some."""
    rng = np.random.default_rng(3)
    x = usual(rng, 400)
    x[:395, :5] = 0
    learnt = fit_distribution(x[:200], 4)
    inside, outside = learnt.log_distance(x[:200]), learnt.log_distance(x[200:])
    assert outside.max() < inside.max() + 0.7


def test_two_percent_false_alarms_and_what_is_unlike_in_one_part_is_found() -> None:
    rng, alarms, found = np.random.default_rng(1), [], []
    for _ in range(4):
        rule = fitted(measures(rng, 400), [None] * 400)
        new = measures(rng, 2000)
        alarms.append((rule.distances(new) > 1).mean())
        new["middle"] = new["middle"][:, ::-1].copy()
        found.append((rule.distances(new) > 1).mean())
    assert 0.008 < np.mean(alarms) < 0.028
    assert np.mean(found) > 0.99


def test_images_of_one_patient_do_not_vouch_for_each_other() -> None:
    """With its own copies in another fold every image would look usual, and new ones would not."""
    rng = np.random.default_rng(2)
    known = {name: np.repeat(x, 5, axis=0) for name, x in measures(rng, 150).items()}
    new = measures(rng, 3000)
    grouped = fitted(known, np.repeat(np.arange(150), 5))
    ungrouped = fitted(known, [None] * 750)
    assert (grouped.distances(new) > 1).mean() < 0.03
    assert (ungrouped.distances(new) > 1).mean() > 0.05


def test_the_same_again_and_a_part_that_is_not_there() -> None:
    known = measures(np.random.default_rng(3), 200)
    known["middle"] = np.empty((200, 0), np.float32)
    rule, again = fitted(known, [None] * 200), fitted(known, [None] * 200)
    assert set(rule.distributions) == {"features", "layout"}
    np.testing.assert_array_equal(rule.distances(known), again.distances(known))


@pytest.mark.filterwarnings("error")
def test_columns_that_never_change() -> None:
    known = measures(np.random.default_rng(4), 200)
    known["features"][:, ::2] = 3
    rule = fitted(known, [None] * 200)
    assert np.isfinite(rule.distances(known)).all()
    strange = {name: x[:1].copy() for name, x in known.items()}
    strange["features"][0, 0] += 1e6
    assert rule.distances(strange)[0] > 1


def test_refused_with_a_reason() -> None:
    rng = np.random.default_rng(5)
    few = fit_out_of_distribution(measures(rng, 99), [None] * 99)
    assert isinstance(few, NotFitted) and "99 images, too few" in few.reason
    one = fit_out_of_distribution(measures(rng, 200), np.arange(200) % 49)
    assert isinstance(one, NotFitted) and "49 patients, too few" in one.reason
    known = measures(rng, 200)
    known["features"][3, 3] = np.nan
    broken = fit_out_of_distribution(known, [None] * 200)
    assert isinstance(broken, NotFitted) and "not finite" in broken.reason


def test_many_images_and_wide_features_stay_small(monkeypatch: pytest.MonkeyPatch) -> None:
    import cxr.evaluate.abstention.out_of_distribution as unlike

    monkeypatch.setattr(unlike, "MAX_ROWS", 150)
    monkeypatch.setattr(unlike, "MAX_CELLS", 100)
    rule = fitted(measures(np.random.default_rng(6), 400), [None] * 400)
    assert rule.n_images == 150
    assert rule.distributions["features"].axes.size <= 100
