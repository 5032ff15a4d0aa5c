from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydicom import uid
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset, FileMetaDataset

from cxr.errors import ImageError
from cxr.pixels import read_dicom_facts


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
    "BodyPartExamined": "CHEST",
    "PresentationIntentType": "FOR PRESENTATION",
    "Manufacturer": "Acme",
    "ManufacturerModelName": "Detector 7",
    "NumberOfFrames": 1,
    "RescaleSlope": 1,
    "RescaleIntercept": -1024,
    "WindowCenter": 500,
    "WindowWidth": 1000,
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
    assert read_dicom_facts(write(tmp_path / "a.dcm", **FULL)) == {
        "modality": "DX",
        "view_position": "PA",
        "body_part": "CHEST",
        "photometric_interpretation": "MONOCHROME2",
        "presentation_intent": "FOR PRESENTATION",
        "manufacturer": "Acme",
        "manufacturer_model": "Detector 7",
        "bits_stored": 12,
        "rows": 2000,
        "columns": 1500,
        "frames": 1,
        "transfer_syntax": "1.2.840.10008.1.2.1",
        "pixel_spacing": [0.15, 0.14],
        "rescale": "linear",
        "contrast": "window",
    }


def test_nothing_that_names_the_patient_comes_out(tmp_path: Path) -> None:
    text = json.dumps(read_dicom_facts(write(tmp_path / "a.dcm", **FULL)))
    identities = ("00417", "Doe", "Jane", "1977", "047", "Elsewhere", "5521", "3680043")
    assert [identity for identity in identities if identity in text] == []


def test_absent_facts_are_none(tmp_path: Path) -> None:
    path = write(tmp_path / "a.dcm", Modality="", PixelSpacing=[0, 0], RescaleSlope=1)
    present = {"bits_stored": 12, "rows": 2000, "columns": 1500}
    present["transfer_syntax"] = "1.2.840.10008.1.2.1"
    facts = read_dicom_facts(path)
    assert {name: value for name, value in facts.items() if value is not None} == present


def sequence(**elements: object) -> list[Dataset]:
    item = Dataset()
    for keyword, value in elements.items():
        setattr(item, keyword, value)
    return [item]


def test_a_view_that_is_given_as_a_code(tmp_path: Path) -> None:
    views = sequence(CodeMeaning="left lateral")
    path = write(tmp_path / "a.dcm", ViewPosition="", ViewCodeSequence=views)
    assert read_dicom_facts(path)["view_position"] == "left lateral"


def test_lookup_tables_go_before_windows(tmp_path: Path) -> None:
    table = sequence(LUTDescriptor=[4, 0, 8], LUTData=bytes(8))
    path = write(
        tmp_path / "a.dcm",
        ModalityLUTSequence=table,
        VOILUTSequence=table,
        RescaleSlope=2,
        WindowCenter=1,
        WindowWidth=2,
    )
    facts = read_dicom_facts(path)
    assert (facts["rescale"], facts["contrast"]) == ("lut", "voi lut")


def test_text_is_fit_for_a_terminal(tmp_path: Path) -> None:
    path = write(tmp_path / "a.dcm", Manufacturer="A\x07cme")
    assert read_dicom_facts(path)["manufacturer"] == "Acme"


def test_one_damaged_entry_does_not_hide_the_others(tmp_path: Path) -> None:
    path = write(tmp_path / "a.dcm", **FULL | {"RescaleSlope": "3.14159"})
    path.write_bytes(path.read_bytes().replace(b"3.14159", b"3.1?159"))
    facts = read_dicom_facts(path)
    assert (facts["rescale"], facts["contrast"]) == (None, None)
    assert facts["modality"] == "DX"


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
