from __future__ import annotations

import hashlib
import hmac
import json
from pathlib import Path

import pytest
from pydicom import uid
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset, FileMetaDataset

from cxr.errors import ImageError
from cxr.pixels import read_dicom_facts
from cxr.pixels.dicom_facts import age_in_years


def write(path: Path, **elements: object) -> Path:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    dataset.SOPClassUID = uid.DigitalXRayImageStorageForPresentation
    dataset.SOPInstanceUID = uid.generate_uid()
    dataset.Rows, dataset.Columns, dataset.BitsStored = 2000, 1500, 12
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    dataset.save_as(path, enforce_file_format=True)
    return path


FULL = {
    "Modality": "DX",
    "ViewPosition": "PA",
    "PhotometricInterpretation": "MONOCHROME2",
    "ManufacturerModelName": "Detector 7",
    "PatientSex": "F",
    "PatientAge": "047Y",
    "ImagerPixelSpacing": [0.15, 0.14],
    "PatientID": "HOSP-00417",
    "PatientName": "Doe^Jane",
    "PatientBirthDate": "19770102",
    "InstitutionName": "Saint Elsewhere",
    "AccessionNumber": "ACC-5521",
    "StudyInstanceUID": "1.2.826.0.1.3680043.8.498.1234",
}


def test_the_facts(tmp_path: Path) -> None:
    facts = read_dicom_facts(write(tmp_path / "a.dcm", **FULL))
    patient, study = facts.pop("patient"), facts.pop("study")
    assert facts == {
        "modality": "DX",
        "view_position": "PA",
        "photometric_interpretation": "MONOCHROME2",
        "manufacturer_model": "Detector 7",
        "sex": "F",
        "bits_stored": 12,
        "rows": 2000,
        "columns": 1500,
        "transfer_syntax": "1.2.840.10008.1.2.1",
        "pixel_spacing": [0.15, 0.14],
        "age": 47.0,
    }
    assert patient.startswith("p-") and study.startswith("p-") and patient != study


def test_nothing_that_names_the_patient_comes_out(tmp_path: Path) -> None:
    text = json.dumps(read_dicom_facts(write(tmp_path / "a.dcm", **FULL)))
    identities = ("00417", "Doe", "Jane", "1977", "Elsewhere", "5521", "3680043")
    assert [identity for identity in identities if identity in text] == []


def test_the_pseudonym_is_stable_keyed_and_tells_issuers_apart(tmp_path: Path) -> None:
    one = write(tmp_path / "1.dcm", PatientID="A1")
    same = write(tmp_path / "2.dcm", PatientID="A1", Modality="CR")
    other = write(tmp_path / "3.dcm", PatientID="A2")
    elsewhere = write(tmp_path / "4.dcm", PatientID="A1", IssuerOfPatientID="B")
    names = [read_dicom_facts(path)["patient"] for path in (one, same, other, elsewhere)]
    assert names[0] == names[1] and len(set(names)) == 3
    expected = hmac.new(b"secret", b"\0A1", hashlib.sha256).hexdigest()[:16]
    assert read_dicom_facts(one, key=b"secret")["patient"] == f"p-{expected}"
    assert expected not in names[0]


def test_absent_facts_are_none(tmp_path: Path) -> None:
    facts = read_dicom_facts(write(tmp_path / "a.dcm", PatientID="", PixelSpacing=[0, 0]))
    absent = ("modality", "view_position", "sex", "age", "patient", "study", "pixel_spacing")
    assert [facts[name] for name in absent] == [None] * len(absent)


@pytest.mark.parametrize(
    ("text", "years"),
    [
        ("045Y", 45),
        ("018M", 1.5),
        ("026W", 0.5),
        ("010D", 0.03),
        ("089Y", 89),
        ("097Y", 90),
        ("45", None),
        ("Y", None),
        ("-1Y", None),
        (None, None),
    ],
)
def test_ages(text: str | None, years: float | None) -> None:
    assert age_in_years(text) == years


def test_the_pixels_are_not_needed() -> None:
    facts = read_dicom_facts(get_testdata_file("MR_truncated.dcm", download=False))
    assert (facts["rows"], facts["columns"], facts["modality"]) == (64, 64, "MR")


def test_what_is_not_dicom(tmp_path: Path) -> None:
    path = tmp_path / "notes.dcm"
    for content in (b"", b"Patient: Jane Doe. " * 100, bytes(200) + b"\xff" * 100):
        path.write_bytes(content)
        with pytest.raises(ImageError) as caught:
            read_dicom_facts(path)
        assert "Jane" not in str(caught.value)
    with pytest.raises(ImageError, match="no such file"):
        read_dicom_facts(tmp_path / "absent.dcm")
