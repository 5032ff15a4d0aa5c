from __future__ import annotations

import shutil

import pytest

from cxr.errors import UsageError
from cxr.find import read_manifest


def test_the_column_goes_before_the_file_name(touch):
    root = touch("A/IM-0001-01.png", "B/IM-0002-01.png", "B/IM-0003-01.png")
    (root / "t.csv").write_text(
        "path,label,subject\nA/IM-0001-01.png,A,007\nB/IM-0002-01.png,B,008\nB/IM-0003-01.png,B,\n"
    )
    manifest = read_manifest(root / "t.csv")
    assert manifest.patients() == ["007", "008", "IM-0003"]
    assert manifest.identity == (
        "3 patients in 3 images, from the column 'subject' and file names (kermany pattern)"
    )
    assert read_manifest(root / "t.csv", patient_pattern=None).patients() == ["007", "008", None]


def test_a_chosen_pattern_stands_alone(touch):
    root = touch("A/IM-0001-01.png", "B/IM-0002-01.png")
    (root / "t.csv").write_text("path,label,patient\nA/IM-0001-01.png,A,7\nB/IM-0002-01.png,B,8\n")
    manifest = read_manifest(root / "t.csv", patient_pattern=r"-(\d{4})-")
    assert manifest.patients() == ["0001", "0002"]
    with pytest.raises(UsageError, match="fits none of 2 paths"):
        read_manifest(root / "t.csv", patient_pattern=r"-(\d{5})-")


def test_no_identity(touch):
    manifest = read_manifest(touch("A/1.png", "B/2.png"))
    assert manifest.patients() == [None, None]
    assert manifest.identity.startswith("no patient identity was found for 2 images")


def test_dicom_headers_fill_what_the_table_lacks(tmp_path, shared_data):
    source = shared_data / "dicom" / "chest_cr_monochrome1_jpeg2000.dcm"
    for name in ("a.dcm", "b.dcm", "c.png"):
        shutil.copy(source, tmp_path / name)
    (tmp_path / "t.csv").write_text(
        "path,label,patient,view,sex\na.dcm,A,,,M\nb.dcm,B,known,AP,\nc.png,B,,,\n"
    )
    manifest = read_manifest(tmp_path / "t.csv")
    first, second, third = manifest.patients()
    assert first is not None and first.startswith("dcm-")
    assert (second, third) == ("known", None)
    assert manifest.table["view"].tolist()[:2] == ["PA", "AP"]
    assert manifest.table["sex"].tolist()[:2] == ["M", "F"]
    assert "from the column 'patient' and DICOM headers" in manifest.identity
    assert manifest.identity.endswith("1 images have no patient")
