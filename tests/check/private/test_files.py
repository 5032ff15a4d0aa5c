"""Private data is found by kind, and no finding says what it is."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from cxr.check.deidentify import deidentify
from cxr.check.finding import Finding
from cxr.check.private import check_private
from cxr.check.private.names import kinds_in_name
from cxr.check.private.notes import notes_of
from cxr.check.private.profile import KINDS
from cxr.check.scan import Scan
from helpers import planted
from helpers.images import noise_image

ScanOf = Callable[..., Scan]


@pytest.fixture(autouse=True)
def own_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXR_KEY_FILE", str(tmp_path / "pseudonyms.key"))


def by_code(findings: list[Finding]) -> dict[str, Finding]:
    codes = {finding.code: finding for finding in findings}
    assert len(codes) == len(findings)
    return codes


def as_json(findings: list[Finding]) -> str:
    return json.dumps([finding.to_dict() for finding in findings]).lower()


def test_every_planted_attribute_is_found(tmp_path: Path, scan_of: ScanOf) -> None:
    for i in range(2):
        dataset = planted.planted(SOPInstanceUID=f"1.2.826.0.99.5.{i}")
        planted.write(dataset, tmp_path / "data" / f"{i}.dcm")
    findings = check_private(scan_of(tmp_path / "data"))
    codes = by_code(findings)
    for keyword, (_, kind) in planted.PLANTED.items():
        assert codes[kind].evidence["attributes"][keyword] == 2, keyword
    assert set(codes) == set(KINDS)  # nested items and private tags too
    assert codes["private-names"].evidence["attributes"]["PersonName"] == 2
    assert codes["private-names"].severity == "warning"
    assert codes["private-uids"].severity == "info"
    assert "2 of 2 DICOM headers hold names of people" in codes["private-names"].message
    assert all(finding.path is None and finding.action for finding in findings)


def test_no_value_is_ever_said(tmp_path: Path, scan_of: ScanOf) -> None:
    name = "Quillfeather_1943-02-17_MRN7734519.dcm"
    planted.write(planted.planted(), tmp_path / "data" / name)
    said = as_json(check_private(scan_of(tmp_path / "data")))
    words = [word for word in planted.WORDS if word != "XRROOM42"]
    assert [word for word in words if word.lower() in said] == []
    assert "quillfeather" not in said and "7734519" not in said


def test_copies_are_clean(tmp_path: Path, scan_of: ScanOf) -> None:
    planted.write(planted.planted(), tmp_path / "in" / "a.dcm")
    deidentify(tmp_path / "in", tmp_path / "out", key=b"a key for tests only")
    assert check_private(scan_of(tmp_path / "out")) == []


def test_marked_headers_are_told_but_not_accused(tmp_path: Path, scan_of: ScanOf) -> None:
    planted.write(planted.planted(PatientIdentityRemoved="YES"), tmp_path / "data" / "a.dcm")
    findings = check_private(scan_of(tmp_path / "data"))
    assert {finding.severity for finding in findings} == {"info"}
    assert "says that the identity was removed" in by_code(findings)["private-names"].message


def test_the_patient_in_the_files_own_name(tmp_path: Path, scan_of: ScanOf) -> None:
    for i, name in enumerate(
        ["quillfeather-o", "x_MRN7734519", "born 17.02.1943", "chest_pa", "mrn"]
    ):
        dataset = planted.planted(SOPInstanceUID=f"1.2.826.0.99.5.{i}")
        planted.write(dataset, tmp_path / "data" / f"{name}.dcm")
    codes = by_code(check_private(scan_of(tmp_path / "data")))
    assert codes["name-people"].evidence == {"files": 3}
    assert codes["name-dates"].evidence == {"files": 1}


def test_the_real_set_is_not_accused(shared_data: Path, scan_of: ScanOf) -> None:
    paths = [path.as_posix() for path in (shared_data / "kermany224").rglob("*.jpeg")]
    assert len(paths) == 5232
    assert not any(kinds_in_name(path) for path in paths)
    assert not any(notes_of(Path(path)) for path in paths[::100])


def test_one_text_in_all_files_is_a_signature(tmp_path: Path, scan_of: ScanOf) -> None:
    for i in range(12):
        (tmp_path / "data").mkdir(exist_ok=True)
        noise_image().save(tmp_path / "data" / f"{i}.jpg", comment=b"made at Eastport")
    (finding,) = check_private(scan_of(tmp_path / "data"))
    assert (finding.code, finding.severity) == ("image-text", "info")
    noise_image().save(tmp_path / "data" / "12.jpg", comment=b"Zamborelli")
    (finding,) = check_private(scan_of(tmp_path / "data"))
    assert (finding.code, finding.severity) == ("image-text", "warning")
    assert finding.evidence == {"files": 13, "fields": {"comment": 13}}
    assert "zamborelli" not in as_json([finding])


def test_columns_of_a_table(tmp_path: Path, images: Any, scan_of: ScanOf) -> None:
    folder = images("a.png", "b.png")
    rows = {"path": ["a.png", "b.png"], "label": ["x", "y"], "surname": ["Zamborelli", None]}
    pd.DataFrame(rows | {"dob": [None, None]}).to_csv(folder / "table.csv", index=False)
    (finding,) = check_private(scan_of(folder / "table.csv"))
    assert (finding.code, finding.group) == ("private-columns", "names")
    assert finding.evidence == {"rows": {"surname": 1}}
    assert "zamborelli" not in as_json([finding])
