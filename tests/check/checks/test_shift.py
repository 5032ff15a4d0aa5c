from __future__ import annotations

import numpy as np
import pytest

from cxr.check.checks.shift import check_shift
from cxr.check.checks.subgroups import check_subgroups

N = 200


def with_components(scan, values):
    scan.__dict__["components"] = np.asarray(values, np.float32)
    return scan


@pytest.fixture
def two_sites(made_scan):
    """`two_sites(gap)`: sites a and b whose images differ by `gap`, with labels in both."""

    def make(gap, **columns):
        rng = np.random.default_rng(0)
        site = rng.integers(0, 2, N)
        labels = np.array(["NORMAL", "PNEUMONIA"])[rng.integers(0, 2, N)]
        scan = made_scan(labels, site=np.array(["a", "b"])[site], **columns)
        return with_components(scan, gap * site[:, None] + rng.normal(size=(N, 4)))

    return make


def test_sites_that_differ(two_sites):
    (found,) = check_shift(two_sites(3.0))
    assert (found.code, found.severity) == ("groups-differ", "warning")
    assert found.evidence["column"] == "site" and found.evidence["class"] in ("NORMAL", "PNEUMONIA")
    assert found.evidence["auroc"]["low"] > 0.9


def test_sites_that_do_not(two_sites):
    (found,) = check_shift(two_sites(0.0))
    assert found.severity == "info" and 0.3 < found.evidence["auroc"]["value"] < 0.7


def test_disease_alone_is_no_shift(made_scan):
    """One site has all of the sick: their images differ, but not within a class."""
    labels = ["NORMAL"] * (N // 2) + ["PNEUMONIA"] * (N // 2)
    sites = ["a"] * (N // 2) + ["b"] * (N // 2)
    scan = with_components(made_scan(labels, site=sites), np.eye(2)[np.arange(N) // (N // 2)])
    assert check_shift(scan) == []


def test_splits_that_differ(made_scan):
    rng = np.random.default_rng(0)
    part = rng.integers(0, 2, N)
    labels = np.array(["A", "B"])[rng.integers(0, 2, N)]
    scan = made_scan(labels, split=np.array(["train", "valid"])[part])
    found = check_shift(with_components(scan, part[:, None] + rng.normal(size=(N, 2))))
    assert [one.code for one in found] == ["splits-differ"] and found[0].severity == "warning"
    assert "--split patient" in found[0].action


def test_small_groups_are_not_compared_but_named(made_scan):
    sites = ["a"] * (N - 5) + ["b"] * 5
    labels = ["A", "B"] * (N // 2)
    scan = with_components(made_scan(labels, site=sites), np.zeros((N, 2)))
    assert check_shift(scan) == []
    (found,) = check_subgroups(scan)
    assert (found.code, found.group) == ("small-subgroup", "site") and "b (5)" in found.message
