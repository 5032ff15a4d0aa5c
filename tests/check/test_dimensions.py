from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cxr.check.dimensions import _auroc, _sample, check_dimensions
from cxr.check.scan import FileFacts, Scan
from cxr.find import Manifest

N = 240


def scan_with(widths, labels, patients=None, multi=False) -> Scan:
    n = len(widths)
    table = pd.DataFrame({"path": [f"{i}.png" for i in range(n)]})
    table["patient"] = [f"p{i}" for i in range(n)] if patients is None else patients
    if multi:
        table[["X", "Y"]] = np.column_stack([labels, 1 - labels])
    else:
        table["label"] = np.where(labels, "PNEUMONIA", "NORMAL")
    classes = ("X", "Y") if multi else ("NORMAL", "PNEUMONIA")
    files = [FileFacts(1000, 300, int(width), "x") for width in widths]
    return Scan(Manifest(table, None, classes, multi, ""), files)


def test_width_gives_the_label_away():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, N)
    (found,) = check_dimensions(scan_with(400 + 100 * labels + rng.normal(0, 10, N), labels))
    assert (found.code, found.severity, found.group) == ("file-facts", "warning", "PNEUMONIA")
    assert found.evidence["auroc"]["value"] > 0.99
    assert found.evidence["auroc"]["n"] == found.evidence["patients"] == N


def test_facts_that_say_nothing():
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 2, N)
    (found,) = check_dimensions(scan_with(rng.normal(400, 50, N), labels))
    assert found.severity == "info" and found.action == ""
    figure = found.evidence["auroc"]
    assert figure["low"] < figure["value"] < figure["high"] and figure["value"] < 0.65


def test_a_patient_is_never_on_both_sides():
    """Each patient has a width and a label of their own, unrelated: only leaking could tell."""
    rng = np.random.default_rng(2)
    labels, widths = rng.integers(0, 2, 60), rng.normal(400, 50, 60)
    repeat = np.repeat(np.arange(60), 12)
    patients = [f"p{i}" for i in repeat]
    (found,) = check_dimensions(scan_with(widths[repeat], labels[repeat], patients))
    assert found.evidence["auroc"]["value"] < 0.7 and found.evidence["patients"] == 60
    (alone,) = check_dimensions(scan_with(widths[repeat], labels[repeat]))
    assert alone.evidence["auroc"]["value"] > 0.9


def test_too_few_patients_say_nothing():
    labels = np.arange(N) < 19
    assert check_dimensions(scan_with(400 + 100 * labels, labels)) == []


def test_each_of_several_labels():
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 2, N).astype(float)
    found = check_dimensions(scan_with(400 + 100 * labels, labels, multi=True))
    assert [finding.group for finding in found] == ["X", "Y"]


def test_unreadable_files_and_unknown_labels_are_left_out():
    rng = np.random.default_rng(4)
    labels = rng.integers(0, 2, N).astype(float)
    scanned = scan_with(rng.normal(400, 50, N), labels, multi=True)
    scanned.files[0] = FileFacts(10, error="damaged")
    scanned.manifest.table.loc[1, "X"] = np.nan
    found = check_dimensions(scanned)
    assert [finding.evidence["auroc"]["n"] for finding in found] == [N - 2, N - 1]


def test_interval_counts_patients_not_images():
    rng = np.random.default_rng(6)
    truth, scores = rng.integers(0, 2, 50) == 1, rng.normal(size=50)
    one = _auroc(scores + truth, truth, np.arange(50))
    many = _auroc(np.repeat(scores + truth, 8), np.repeat(truth, 8), np.repeat(np.arange(50), 8))
    assert one == pytest.approx(many)


def test_sample_takes_whole_patients(monkeypatch):
    monkeypatch.setattr("cxr.check.dimensions.MAX_IMAGES", 40)
    groups = np.repeat(np.arange(30), 4)
    rows = _sample(np.arange(120), groups)
    assert len(rows) == 40 and set(np.bincount(groups[rows])) <= {0, 4}
    np.testing.assert_array_equal(rows, _sample(np.arange(120), groups))
