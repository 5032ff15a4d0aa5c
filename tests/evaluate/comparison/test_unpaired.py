"""Differences between figures of other images and other patients."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest

from cxr.evaluate import measure
from cxr.evaluate.comparison.unpaired import COMPARED, difference, differences
from cxr.evaluate.schema import Figure
from helpers.simulated import Simulate


def wilson(hits: int, n: int) -> Figure:
    z, p = 1.959964, hits / n
    middle, reach = p + z**2 / (2 * n), z * sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    share = 1 + z**2 / n
    return {"value": p, "low": (middle - reach) / share, "high": (middle + reach) / share}


def test_newcombes_own_example() -> None:
    """56/70 against 48/80 in Statistics in Medicine 1998, table II (a), method 10."""
    found = difference(wilson(56, 70), wilson(48, 80))
    assert found["value"] == pytest.approx(0.2)
    assert (found["low"], found["high"]) == pytest.approx((0.0524, 0.3339), abs=5e-5)


def test_as_a_bootstrap_of_both_finds_it(simulate_binary: Simulate) -> None:
    from sklearn.metrics import roc_auc_score

    a, b = (simulate_binary(n, seed=seed) for n, seed in ((400, 1), (500, 2)))
    found = differences(measure(a), measure(b))
    assert set(found) == set(COMPARED)
    rng, areas = np.random.default_rng(3), []
    for one in (a, b):
        groups, drawn = one.patient_groups, []
        for _ in range(600):
            chosen = rng.integers(groups.max() + 1, size=groups.max() + 1)
            rows = np.concatenate([np.flatnonzero(groups == group) for group in chosen])
            drawn.append(roc_auc_score(one.targets[rows], one.probabilities[rows, 1]))
        areas.append(np.array(drawn))
    low, high = np.quantile(areas[0] - areas[1], [0.025, 0.975])
    assert found["auroc"]["low"] == pytest.approx(low, abs=0.02)
    assert found["auroc"]["high"] == pytest.approx(high, abs=0.02)


def test_what_is_undefined_stays_so() -> None:
    there: Figure = {"value": 0.9, "low": 0.8, "high": 0.95}
    missing: Figure = {"value": None, "reason": "one class is missing"}
    assert difference(there, missing) == missing
    bare = difference(there, {"value": 1.0, "reason": "every resample gives the same"})
    assert bare["value"] == pytest.approx(-0.1) and "low" not in bare and bare["reason"]
