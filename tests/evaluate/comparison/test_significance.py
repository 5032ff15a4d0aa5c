"""DeLong's test against its definition: every pair of images, and SciPy's ranks and normal law."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from sklearn.metrics import roc_auc_score

from cxr.errors import DataError
from cxr.evaluate.comparison.significance import delong_areas, delong_test, mcnemar_test, midranks

Floats = NDArray[np.float64]


def two_models(n: int = 90, seed: int = 0, ties: bool = False) -> tuple[Any, Floats]:
    """Two scores that share part of their noise, as two models of the same images do."""
    rng = np.random.default_rng(seed)
    truth = rng.random(n) < 0.4
    shared = rng.normal(size=n)
    scores = np.stack([truth * gain + shared + rng.normal(size=n) for gain in (0.8, 1.5)])
    return truth, np.round(scores) if ties else scores


def by_definition(truth: Any, scores: Floats) -> tuple[Floats, Floats]:
    """Areas and covariance from all m x n pairs: DeLong et al. (1988), equations 3 to 6."""
    won, lost = [], []
    for row in scores:
        x, y = row[truth], row[~truth]
        pairs = [[(p > q) + 0.5 * (p == q) for q in y] for p in x]
        won.append([sum(line) / len(y) for line in pairs])
        lost.append([sum(column) / len(x) for column in zip(*pairs, strict=True)])
    k, m, n = len(scores), truth.sum(), (~truth).sum()
    areas = np.array([np.mean(line) for line in won])
    covariance = np.zeros((k, k))
    for r in range(k):
        for s in range(k):
            for parts, size in ((won, m), (lost, n)):
                products = [
                    (u - areas[r]) * (v - areas[s]) for u, v in zip(parts[r], parts[s], strict=True)
                ]
                covariance[r, s] += sum(products) / (size - 1) / size
    return areas, covariance


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_areas_and_covariance_are_those_of_all_pairs(seed: int, ties: bool) -> None:
    truth, scores = two_models(seed=seed, ties=ties)
    areas, covariance = by_definition(truth, scores)
    got = delong_areas(truth, scores)
    np.testing.assert_allclose(got.auroc, areas, rtol=1e-12)
    np.testing.assert_allclose(got.covariance, covariance, rtol=1e-9)
    assert got.auroc == pytest.approx([roc_auc_score(truth, row) for row in scores])


def test_midranks_are_those_of_scipy() -> None:
    values = np.random.default_rng(0).integers(0, 9, size=(3, 40)).astype(float)
    np.testing.assert_array_equal(midranks(values), stats.rankdata(values, axis=1))


def test_p_value_and_interval_are_those_of_the_normal_law() -> None:
    truth, scores = two_models()
    areas, covariance = by_definition(truth, scores)
    spread = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    law = stats.norm(areas[1] - areas[0], np.sqrt(spread))
    got = delong_test(truth, *scores)
    assert got["value"] == pytest.approx(law.mean()) and got["n"] == 90
    assert (got["low"], got["high"]) == pytest.approx(law.interval(0.95))
    z = law.mean() / law.std()
    assert got["z"] == pytest.approx(z) and got["p_value"] == pytest.approx(2 * stats.norm.sf(z))


def test_the_order_of_the_models_only_turns_the_sign() -> None:
    truth, (a, b) = two_models(ties=True)
    there, back = delong_test(truth, a, b), delong_test(truth, b, a)
    assert there["value"] == pytest.approx(-back["value"])
    assert there["low"] == pytest.approx(-back["high"])
    assert there["p_value"] == pytest.approx(back["p_value"])


def test_false_alarms_come_as_often_as_promised() -> None:
    """Two equally good models of independent images: 5 % of the tests at 0.05."""
    rng = np.random.default_rng(0)
    truth = np.arange(120) < 50
    scores = truth + rng.normal(size=(600, 1, 120)) + rng.normal(size=(600, 2, 120))
    alarms = np.mean([delong_test(truth, *pair)["p_value"] < 0.05 for pair in scores])
    assert 0.03 < alarms < 0.075


@pytest.mark.parametrize("change", [lambda s: s, lambda s: 3 * s - 1, np.exp])
def test_the_same_ranking_has_no_test(change: Any) -> None:
    truth, (a, _) = two_models()
    got = delong_test(truth, a, change(a))
    assert got["value"] == pytest.approx(0.0) and "no spread" in got["reason"]
    assert "p_value" not in got


@pytest.mark.parametrize("positives", [0, 1, 8, 9])
def test_too_few_of_a_class(positives: int) -> None:
    truth, scores = np.arange(9) < positives, np.random.default_rng(0).random((2, 9))
    got = delong_test(truth, *scores)
    assert got == {"value": None, "reason": "fewer than 2 images of a class"}
    with pytest.raises(DataError, match="needs 2 of each"):
        delong_areas(truth, scores)


@pytest.mark.parametrize(("only_a", "only_b"), [(0, 1), (3, 3), (2, 9), (12, 1), (0, 40), (70, 90)])
def test_the_exact_binomial_of_the_discordant(only_a: int, only_b: int) -> None:
    a = np.repeat([True, True, False, False], [30, only_a, only_b, 5])
    b = np.repeat([True, False, True, False], [30, only_a, only_b, 5])
    got = mcnemar_test(a, b)
    counts = [got[k] for k in ("both_right", "only_a_right", "only_b_right", "both_wrong")]
    assert counts == [30, only_a, only_b, 5]
    assert got["p_value"] == pytest.approx(stats.binomtest(only_a, only_a + only_b).pvalue)
    assert "independent" in got["note"]


def test_the_same_decisions_do_not_differ() -> None:
    right = np.array([True, False, True])
    assert mcnemar_test(right, right)["p_value"] == 1.0
