from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cxr.check import check_data, inspect_data
from cxr.config import ManifestOptions
from cxr.errors import DataError, UsageError
from cxr.prepare import FolderSplitter


def test_the_worst_first_and_the_whole_set_before_files(images):
    data = images("A/1.png", "A/2.png", "B/3.png", "B/4.png")
    shutil.copy(data / "A/1.png", data / "A/1again.png")
    (data / "B/broken.png").write_bytes(b"broken")
    found = check_data(data)
    severities = [finding.severity for finding in found]
    assert severities == sorted(severities, key=("error", "warning", "info").index)
    assert (found[0].code, found[0].path) == ("unreadable", Path("B/broken.png"))
    warnings = [finding.path is None for finding in found if finding.severity == "warning"]
    assert warnings == sorted(warnings, reverse=True) and set(warnings) == {True, False}


def test_what_training_refuses_comes_first(images):
    found = check_data(images("A/1.png", "A/2.png"))
    assert (found[0].code, found[0].severity) == ("not-trainable", "error")
    assert found[0].message.startswith("only one class (A); training needs at least two")


def test_a_split_that_cannot_be_made_is_said_and_the_rest_is_checked_all_the_same(images):
    data = images("A/1.png", "A/2.png", "B/3.png", "B/4.png")
    (data / "A/2.png").write_bytes(b"broken")
    found = inspect_data(data, splitter=FolderSplitter()).findings
    assert found[0].code == "not-trainable" and "class 'A' has 1 image" in found[0].message
    assert "unreadable" in {finding.code for finding in found}
    (data / "A/2.png").unlink()
    images("A/5.png")
    found = inspect_data(data, splitter=FolderSplitter()).findings
    assert "give 0 training (train)" in found[0].message


def test_options_reach_the_manifest(images):
    data = images("1.png", "2.png")
    (data / "t.csv").write_text("file,who,what\n1.png,p1,A\n2.png,p2,B\n")
    options = ManifestOptions(path_column="file", patient_column="who", label_column="what")
    found = check_data(data / "t.csv", options)
    assert "2 patients in 2 images" in next(f.message for f in found if f.code == "patients")


def test_the_data_are_left_as_they_are(images):
    data = images("A/1.png", "B/2.png")
    (data / "B/broken.png").write_bytes(b"broken")
    before = {path: path.stat().st_mtime_ns for path in data.rglob("*")}
    check_data(data)
    assert {path: path.stat().st_mtime_ns for path in data.rglob("*")} == before


def test_what_is_no_data_set_is_refused(tmp_path):
    with pytest.raises(UsageError):
        check_data(tmp_path / "absent")
    with pytest.raises(DataError):
        check_data(tmp_path)


def test_real_x_rays(shared_data):
    found = {finding.code: finding for finding in check_data(shared_data / "kermany224" / "val")}
    assert not [finding for finding in found.values() if finding.severity == "error"]
    assert found["classes"].evidence == {
        "NORMAL": {"images": 8, "patients": 8},
        "PNEUMONIA": {"images": 8, "patients": 7},
    }
    assert "class-too-small" in found
