from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from PIL import Image

from cxr.check.checks.copies import MOST_NAMED, check_copies


def test_nothing_to_find(images, scan_of):
    assert check_copies(scan_of(images("A/1.png", "A/2.png", "B/3.png"))) == []


def test_a_copy_within_a_label_is_a_warning(images, scan_of):
    data = images("A/1.png", "A/2.png", "B/3.png")
    shutil.copy(data / "A/1.png", data / "A/9.png")
    (found,) = check_copies(scan_of(data))
    assert (found.code, found.severity, found.path) == ("copy", "warning", Path("A/9.png"))
    assert found.message == "A/9.png is a copy of A/1.png"
    assert found.evidence == {"copies": ["A/1.png"], "same_bytes": True}


def test_another_format_is_a_copy_too(images, scan_of):
    data = images("A/1.png", "B/3.png")
    with Image.open(data / "A/1.png") as image:
        image.save(data / "A/2.bmp")
        image.save(data / "A/3.tiff")
    found = check_copies(scan_of(data))
    assert [finding.path for finding in found] == [Path("A/2.bmp"), Path("A/3.tiff")]
    assert found[0].evidence == {"copies": ["A/1.png", "A/3.tiff"], "same_bytes": False}


def test_every_copy_with_different_labels_is_an_error(images, scan_of):
    data = images("A/1.png", "A/2.png", "B/3.png")
    shutil.copy(data / "A/1.png", data / "B/1.png")
    shutil.copy(data / "A/1.png", data / "A/1again.png")
    found = check_copies(scan_of(data))
    assert [finding.path for finding in found] == [
        Path(name) for name in ("A/1.png", "A/1again.png", "B/1.png")
    ]
    assert {(finding.code, finding.severity) for finding in found} == {
        ("copy-across-labels", "error")
    }
    assert found[1].message == "A/1again.png and B/1.png are one image with different labels"


def test_a_copy_on_the_other_side_of_a_split_is_an_error(images, scan_of):
    data = images("train/A/1.png", "train/B/2.png", "val/A/3.png", "val/B/4.png")
    shutil.copy(data / "train/A/1.png", data / "val/A/1.png")
    (found,) = check_copies(scan_of(data))
    assert (found.code, found.severity) == ("copy-across-splits", "error")
    assert "other side of the split" in found.message


@pytest.mark.parametrize("patient", ["p1", "p2"])
def test_another_patient_is_said_without_a_name(images, scan_of, patient):
    data = images("1.png", "2.png")
    shutil.copy(data / "1.png", data / "3.png")
    (data / "t.csv").write_text(f"path,label,patient\n1.png,A,p1\n2.png,B,p9\n3.png,A,{patient}\n")
    (found,) = check_copies(scan_of(data / "t.csv"))
    assert ("another patient" in found.message) == (patient == "p2")
    assert "p1" not in found.message and "p2" not in found.message


def test_several_labels(images, scan_of):
    data = images("1.png", "2.png")
    shutil.copy(data / "1.png", data / "3.png")
    shutil.copy(data / "2.png", data / "4.png")
    (data / "t.csv").write_text("path,X,Y\n1.png,1,0\n2.png,0,1\n3.png,1,\n4.png,1,1\n")
    found = check_copies(scan_of(data / "t.csv", label_columns=("X", "Y")))
    codes = {finding.path.name: finding.code for finding in found}
    assert codes == {
        "3.png": "copy",  # a blank contradicts nothing
        "2.png": "copy-across-labels",
        "4.png": "copy-across-labels",
    }


def test_unreadable_files_are_nobodys_copies(images, scan_of):
    data = images("A/1.png", "B/2.png")
    for name in ("A/x.png", "B/y.png"):
        (data / name).write_bytes(b"broken")
    assert check_copies(scan_of(data)) == []


def test_a_copy_without_a_label_contradicts_none(images, scan_of):
    data = images("1.png", "2.png")
    for name in ("3.png", "4.png"):
        shutil.copy(data / "1.png", data / name)
    (data / "t.csv").write_text("path,X,Y,Z\n1.png,1,0,0\n2.png,0,1,1\n3.png,0,1,0\n4.png,,,0\n")
    codes = {
        finding.path.name: finding.code
        for finding in check_copies(scan_of(data / "t.csv", label_columns=("X", "Y", "Z")))
    }
    assert codes == {
        "1.png": "copy-across-labels",
        "3.png": "copy-across-labels",
        "4.png": "copy",
    }


def test_of_many_copies_few_are_named(images, scan_of):
    data = images("A/0.png", "B/x.png")
    for k in range(1, 30):
        shutil.copy(data / "A/0.png", data / f"A/{k}.png")
    found = check_copies(scan_of(data))
    assert len(found) == 29
    assert {len(finding.evidence["copies"]) for finding in found} == {MOST_NAMED}
