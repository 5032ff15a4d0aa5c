from __future__ import annotations

import numpy as np
import pytest

from cxr.check.checks.subgroups import check_subgroups, groupings, series_of

N = 200


def test_a_column_that_tells_the_label(made_scan):
    rng = np.random.default_rng(0)
    sick = rng.integers(0, 2, N)
    site = np.where(rng.random(N) < 0.95, sick, 1 - sick)
    scan = made_scan(
        np.array(["A", "B"])[sick], site=np.array(["x", "y"])[site], sex=["f", "m"] * (N // 2)
    )
    (found,) = [one for one in check_subgroups(scan) if one.code == "column-tells-label"]
    assert found.severity == "warning" and found.evidence["column"] == "site"
    assert found.evidence["auroc"]["value"] > 0.9


@pytest.mark.parametrize(
    ("name", "series"),
    [
        ("train/NORMAL/NORMAL2-IM-0383-0001.jpeg", "NORMAL2-IM"),
        ("IM-0115-0001.jpeg", "IM"),
        ("person63_bacteria_306.jpeg", "person-bacteria"),
        ("00000013_005.png", "numbers only"),
        ("phantom0012_003.png", "phantom"),
    ],
)
def test_series_of_names(name, series):
    assert series_of(name) == series


def test_groupings_leave_out_identifiers_and_measurements(made_scan):
    scan = made_scan(
        ["A", "B"] * (N // 2),
        age=np.linspace(0, 80, N),
        note=[f"note {i}" for i in range(N)],
        sex=["f"] * 99 + [None] + ["m"] * 100,
        view=["PA"] * N,
    )
    found = groupings(scan)
    assert set(found) == {"age", "sex"}
    assert set(found["age"]) >= {"under 1", "18 to 39", "65 and over"}
    assert found["sex"][99] is None
