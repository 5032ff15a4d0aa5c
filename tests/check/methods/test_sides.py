from __future__ import annotations

import numpy as np
import pytest

from cxr.check.methods import sides
from cxr.check.methods.sides import class_rows, classes_to_tell, pair_of


def test_of_many_classes_the_largest(made_scan):
    scan = made_scan([f"class {i % 7}" for i in range(7 * 20)] + ["class 6"] * 40)
    told = classes_to_tell(scan)
    assert len(told) == sides.MAX_CLASSES and 6 in told


@pytest.mark.parametrize(
    ("labels", "pair"),
    [
        (["A", "B"], "A from B"),
        (["A", "B", "C"], "B from the rest"),
        ({"X": [1.0, 0.0], "Y": [0.0, 1.0]}, "Y from the rest"),
    ],
)
def test_what_is_told_from_what(made_scan, labels, pair):
    assert pair_of(made_scan(labels), 1) == pair


def test_a_sample_takes_whole_patients(made_scan, monkeypatch):
    patients = [f"p{i // 4}" for i in range(160)]
    labels = np.array(["NORMAL", "PNEUMONIA"])[(np.arange(160) // 4) % 2]
    scan = made_scan(labels, patients=patients)
    assert class_rows(scan, 1, 40) is None  # too few patients are left
    monkeypatch.setattr(sides, "MIN_PATIENTS", 10)
    rows = class_rows(scan, 1, 120)
    assert len(rows) == 120 and set(np.bincount(scan.groups[rows])) <= {0, 4}
    np.testing.assert_array_equal(rows, class_rows(scan, 1, 120))
