"""Private data is found by kind, and no finding says what it is."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from cxr.check.deidentify import deidentify
from cxr.check.finding import Finding
from cxr.check.private import check_private
from cxr.check.private.names import kind_of_column, kinds_in_name
from cxr.check.private.notes import notes_of
from cxr.check.private.profile import KINDS, action_for, kind_of
from cxr.check.scan import Scan

ScanOf = Callable[..., Scan]


@pytest.fixture(scope="session")
def planted() -> ModuleType:
    """`planted.py` beside this file: DICOM files with private data, and what was put in."""
    spec = spec_from_file_location("planted", Path(__file__).with_name("planted.py"))
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def own_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXR_KEY_FILE", str(tmp_path / "pseudonyms.key"))


def by_code(findings: list[Finding]) -> dict[str, Finding]:
    codes = {finding.code: finding for finding in findings}
    assert len(codes) == len(findings)
    return codes


def as_json(findings: list[Finding]) -> str:
    return json.dumps([finding.to_dict() for finding in findings]).lower()


def picture() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 40), dtype=np.uint8))


def test_every_planted_attribute_is_found(
    tmp_path: Path, planted: ModuleType, scan_of: ScanOf
) -> None:
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


def test_no_value_is_ever_said(tmp_path: Path, planted: ModuleType, scan_of: ScanOf) -> None:
    name = "Quillfeather_1943-02-17_MRN7734519.dcm"
    planted.write(planted.planted(), tmp_path / "data" / name)
    said = as_json(check_private(scan_of(tmp_path / "data")))
    words = [word for word in planted.WORDS if word != "XRROOM42"]
    assert [word for word in words if word.lower() in said] == []
    assert "quillfeather" not in said and "7734519" not in said


def test_copies_are_clean(tmp_path: Path, planted: ModuleType, scan_of: ScanOf) -> None:
    planted.write(planted.planted(), tmp_path / "in" / "a.dcm")
    deidentify(tmp_path / "in", tmp_path / "out", key=b"a key for tests only")
    assert check_private(scan_of(tmp_path / "out")) == []


def test_marked_headers_are_told_but_not_accused(
    tmp_path: Path, planted: ModuleType, scan_of: ScanOf
) -> None:
    planted.write(planted.planted(PatientIdentityRemoved="YES"), tmp_path / "data" / "a.dcm")
    findings = check_private(scan_of(tmp_path / "data"))
    assert {finding.severity for finding in findings} == {"info"}
    assert "says that the identity was removed" in by_code(findings)["private-names"].message


def test_the_patient_in_the_files_own_name(
    tmp_path: Path, planted: ModuleType, scan_of: ScanOf
) -> None:
    for i, name in enumerate(
        ["quillfeather-o", "x_MRN7734519", "born 17.02.1943", "chest_pa", "mrn"]
    ):
        dataset = planted.planted(SOPInstanceUID=f"1.2.826.0.99.5.{i}")
        planted.write(dataset, tmp_path / "data" / f"{name}.dcm")
    codes = by_code(check_private(scan_of(tmp_path / "data")))
    assert codes["name-people"].evidence == {"files": 3}
    assert codes["name-dates"].evidence == {"files": 1}


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("ward/20240131_chest.png", {"name-dates"}),
        ("31.01.2024.png", {"name-dates"}),
        ("2024-01-31/a.png", {"name-dates"}),
        ("scan_4711082.png", {"name-numbers"}),
        ("0004711082.png", {"name-numbers"}),
        ("1.2.840.113619.2.55.3.12.dcm", {"name-numbers"}),
        ("DOE^JANE.png", {"name-people"}),
        ("DOE^JANE 20240131 4711082.png", {"name-people", "name-dates", "name-numbers"}),
        ("IMG_000123.png", set()),
        ("20241399.png", {"name-numbers"}),  # no such month: a number
        ("a/000001.png", set()),
        ("d41d8cd98f00b204e9800998ecf8427e.png", set()),  # a digest
        ("train/PNEUMONIA/person63_bacteria_306.jpeg", set()),
        ("NORMAL/NORMAL2-IM-0383-0001.jpeg", set()),
        ("PNEUMONIA/BACTERIA-1083680-0001.jpeg", set()),
        ("images/00000013_005.png", set()),
        ("train/patient00001/study1/view1_frontal.jpg", set()),
        ("p10/p10000032/s50414267/02aa804e-bde0afdd-112c0b34-7bc16630-4e384014.jpg", set()),
        ("dcm-0123456789abcdef/2.25.225957226413281412303132523144103312354/a.dcm", set()),
    ],
)
def test_names_of_files(name: str, kinds: set[str]) -> None:
    assert kinds_in_name(name) == kinds


def test_the_real_set_is_not_accused(shared_data: Path, scan_of: ScanOf) -> None:
    paths = [path.as_posix() for path in (shared_data / "kermany224").rglob("*.jpeg")]
    assert len(paths) == 5232
    assert not any(kinds_in_name(path) for path in paths)
    assert not any(notes_of(Path(path)) for path in paths[::100])


def kinds_of_notes(path: Path) -> dict[str, set[str]]:
    notes = notes_of(path)
    return {kind: {n.field for n in notes if n.kind == kind} for kind in {n.kind for n in notes}}


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
def test_exif(suffix: str, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x013B], exif[0x010E], exif[0x0131] = "Zamborelli", "of Larkspur Crescent", "Acme 3"
    exif.get_ifd(0x8769)[0x9003] = "2024:01:31 10:11:12"
    exif.get_ifd(0x8769)[0xA431] = "SN-889123"
    exif.get_ifd(0x8825)[1] = "N"
    exif.get_ifd(0x8825)[2] = (51.0, 30.0, 0.0)
    path = tmp_path / f"a.{suffix}"
    picture().save(path, exif=exif)
    found = kinds_of_notes(path)
    first = {
        "image-names": {"Artist"},
        "image-text": {"ImageDescription"},
        "image-software": {"Software"},
    }
    if suffix == "tif":  # into which Pillow writes no further directories
        assert found == first
        return
    assert found == first | {
        "image-dates": {"DateTimeOriginal"},
        "image-numbers": {"BodySerialNumber"},
        "image-places": {"GPS"},
    }


def test_comments_and_chunks(tmp_path: Path) -> None:
    picture().save(tmp_path / "a.jpg", comment=b"Zamborelli")
    assert kinds_of_notes(tmp_path / "a.jpg") == {"image-text": {"comment"}}
    picture().save(tmp_path / "b.jpg", comment=b"LEAD Technologies Inc. V1.01")
    assert kinds_of_notes(tmp_path / "b.jpg") == {"image-software": {"comment"}}
    picture().save(tmp_path / "c.jpg", xmp=b"<x:xmpmeta>Zamborelli</x:xmpmeta>")
    assert kinds_of_notes(tmp_path / "c.jpg") == {"image-text": {"xmp"}}
    picture().save(tmp_path / "d.gif", comment=b"Zamborelli")
    assert kinds_of_notes(tmp_path / "d.gif") == {"image-text": {"comment"}}
    picture().save(tmp_path / "plain.png")
    assert notes_of(tmp_path / "plain.png") == []


@pytest.mark.parametrize("last", [False, True])
def test_png_text_before_and_after_the_image(last: bool, tmp_path: Path) -> None:
    chunks = PngInfo()
    chunks.add_text("Author", "Zamborelli")
    chunks.add_itxt("Zamborelli's key", "seen by Hobday", zip=True)
    chunks.add_text("date:create", "2024-01-31")
    picture().save(tmp_path / "a.png", pnginfo=chunks)
    if last:
        data = (tmp_path / "a.png").read_bytes()
        start, end = data.index(b"IDAT") - 4, data.index(b"IEND") - 4
        head = data[: 8 + 25]
        (tmp_path / "a.png").write_bytes(head + data[start:end] + data[33:start] + data[end:])
    assert kinds_of_notes(tmp_path / "a.png") == {
        "image-names": {"author"},
        "image-text": {"text"},
        "image-software": {"date:create"},
    }


def test_damaged_images_are_left_to_others(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(50))
    (tmp_path / "b.jpg").write_bytes(b"\xff\xd8\xff\xe1\xff\xffExif")
    assert notes_of(tmp_path / "a.png") == notes_of(tmp_path / "b.jpg") == []
    assert notes_of(tmp_path / "none.png") == []


def test_one_text_in_all_files_is_a_signature(tmp_path: Path, scan_of: ScanOf) -> None:
    for i in range(12):
        (tmp_path / "data").mkdir(exist_ok=True)
        picture().save(tmp_path / "data" / f"{i}.jpg", comment=b"made at Eastport")
    (finding,) = check_private(scan_of(tmp_path / "data"))
    assert (finding.code, finding.severity) == ("image-text", "info")
    picture().save(tmp_path / "data" / "12.jpg", comment=b"Zamborelli")
    (finding,) = check_private(scan_of(tmp_path / "data"))
    assert (finding.code, finding.severity) == ("image-text", "warning")
    assert finding.evidence == {"files": 13, "fields": {"comment": 13}}
    assert "zamborelli" not in as_json([finding])


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        *(("Patient Name", "names"), ("surname", "names"), ("Name", "names")),
        *(
            ("Referring_Physician", "names"),
            ("DOB", "birth dates"),
            ("date_of_birth", "birth dates"),
        ),
        *(("MRN", "identifiers"), ("accession", "identifiers"), ("ZIP", "addresses")),
        *(("StudyDate", "dates"), ("Patient Age", None), ("Patient Gender", None)),
        *(("Image Index", None), ("Finding Labels", None), ("Follow-up #", None), ("path", None)),
        *(("Sex", None), ("Frontal/Lateral", None), ("AP/PA", None), ("dicom_id", None)),
    ],
)
def test_columns(column: str, kind: str | None) -> None:
    assert kind_of_column(column) == kind


def test_columns_of_a_table(tmp_path: Path, films: Any, scan_of: ScanOf) -> None:
    folder = films("a.png", "b.png")
    rows = {"path": ["a.png", "b.png"], "label": ["x", "y"], "surname": ["Zamborelli", None]}
    pd.DataFrame(rows | {"dob": [None, None]}).to_csv(folder / "table.csv", index=False)
    (finding,) = check_private(scan_of(folder / "table.csv"))
    assert (finding.code, finding.group) == ("private-columns", "names")
    assert finding.evidence == {"rows": {"surname": 1}}
    assert "zamborelli" not in as_json([finding])


def test_the_profile_is_that_of_the_standard() -> None:
    """Read off PS3.15 table E.1-1 by hand."""
    from pydicom.tag import Tag

    actions = {
        "PatientName": "empty",
        "PatientAge": "remove",
        "StudyInstanceUID": "uid",
        "AccessionNumber": "empty",
        "InstitutionAddress": "remove",
        "VerifyingObserverName": "dummy",
        "Modality": "keep",
        "Rows": "keep",
        "OverlayData": "remove",
    }
    tags = {word: Tag(0x60003000) if word == "OverlayData" else Tag(word) for word in actions}
    assert {word: action_for(tag) for word, tag in tags.items()} == actions
    assert action_for(Tag(0x00291001)) == "remove" and action_for(Tag(0x00080FFE)) == "remove"
    assert kind_of(Tag(0x00291001), "LO") == "private-tags"
