from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.pixels import get_decoder

from cxr.check.checks.dicom import check_dicom
from cxr.check.finding import Finding
from cxr.check.scan import scan
from cxr.find import read_manifest

Write = Callable[..., None]
CHEST = {
    "Modality": "DX",
    "ViewPosition": "PA",
    "BodyPartExamined": "CHEST",
    "PresentationIntentType": "FOR PRESENTATION",
    "Manufacturer": "Acme",
    "PixelSpacing": [0.15, 0.15],
    "WindowCenter": 2048,
    "WindowWidth": 4096,
}


@pytest.fixture
def write(tmp_path: Path) -> Write:
    rng = np.random.default_rng(3)

    def write(name: str, syntax: uid.UID = uid.ExplicitVRLittleEndian, **elements: object) -> None:
        dataset = Dataset()
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
        dataset.SOPClassUID = uid.DigitalXRayImageStorageForPresentation
        dataset.SOPInstanceUID = uid.generate_uid()
        dataset.StudyInstanceUID = uid.generate_uid()
        dataset.PatientID = f"SECRET-{name}"
        dataset.Rows = dataset.Columns = 32
        dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 12, 11
        dataset.PixelRepresentation = 0
        dataset.PixelData = rng.integers(0, 4096, (32, 32), dtype=np.uint16).tobytes()
        for keyword, value in (CHEST | elements).items():
            if value is not None:
                setattr(dataset, keyword, value)
        if syntax != uid.ExplicitVRLittleEndian:
            dataset.compress(syntax, generate_instance_uid=False)
        (tmp_path / name).parent.mkdir(exist_ok=True)
        dataset.save_as(tmp_path / name, enforce_file_format=True)

    return write


def found_in(folder: Path) -> dict[str, Finding]:
    findings = check_dicom(scan(read_manifest(folder), workers=1))
    text = json.dumps([finding.to_dict() for finding in findings])
    assert "SECRET" not in text.replace(str(folder), "")
    return {finding.code: finding for finding in findings}


def test_plain_chest_images_give_no_warning(tmp_path: Path, write: Write) -> None:
    for name in ("A/1.dcm", "A/2.dcm", "B/3.dcm", "B/4.dcm"):
        write(name)
    found = found_in(tmp_path)
    assert list(found) == ["dicom-transfer-syntax", "dicom-contrast"]
    assert found["dicom-transfer-syntax"].evidence["files"] == {"Explicit VR Little Endian": 4}
    assert found["dicom-contrast"].message == "grey levels of DICOM files come from a window (4)"


def test_a_set_without_dicom_gives_nothing(images: Callable[..., Path]) -> None:
    assert check_dicom(scan(read_manifest(images("A/1.png", "B/2.png")), workers=1)) == []


def test_files_without_an_image_are_named(tmp_path: Path, write: Write) -> None:
    write("A/1.dcm")
    write("A/report.dcm", SOPClassUID=uid.BasicTextSRStorage, Rows=0)
    found = found_in(tmp_path)["dicom-without-image"]
    assert found.severity == "info"
    assert found.evidence == {"kinds": {"Basic Text SR Storage": 1}, "files": ["A/report.dcm"]}


@pytest.mark.parametrize(
    ("code", "elements", "value"),
    [
        ("dicom-modality", {"Modality": "CT"}, "CT"),
        ("dicom-lateral", {"ViewPosition": "LL"}, "LL"),
        ("dicom-lateral", {"ViewPosition": "LATERAL"}, "LATERAL"),
        ("dicom-body-part", {"BodyPartExamined": "HAND"}, "HAND"),
        ("dicom-for-processing", {"PresentationIntentType": "FOR PROCESSING"}, "FOR PROCESSING"),
        (
            "dicom-frames",
            {"NumberOfFrames": 2, "PixelData": bytes(2 * 2 * 32 * 32)},
            "2",
        ),
    ],
)
def test_one_odd_file_among_images(
    tmp_path: Path, write: Write, code: str, elements: dict[str, object], value: str
) -> None:
    write("A/odd.dcm", **elements)
    for name in ("A/1.dcm", "A/2.dcm", "B/3.dcm"):
        write(name)
    found = found_in(tmp_path)
    assert [name for name, one in found.items() if one.severity == "warning"] == [code]
    assert found[code].evidence["values"] == {value: 1}
    assert found[code].evidence["examples"] == [{"path": "A/odd.dcm", "caption": value}]
    assert found[code].message.startswith("1 of 4 DICOM files are ")


def test_what_the_header_does_not_say_is_no_fault(tmp_path: Path, write: Write) -> None:
    write("1.dcm", **dict.fromkeys(CHEST))
    assert list(found_in(tmp_path)) == [
        "dicom-transfer-syntax",
        "dicom-contrast",
        "dicom-spacing-absent",
    ]


@pytest.mark.parametrize("syntax", [uid.JPEG2000Lossless, uid.JPEGLSLossless])
def test_a_missing_plug_in_is_named(
    tmp_path: Path, write: Write, monkeypatch: pytest.MonkeyPatch, syntax: uid.UID
) -> None:
    write("1.dcm", syntax)
    write("2.dcm", syntax)
    write("3.dcm")
    assert "dicom-no-decoder" not in found_in(tmp_path)
    decoder = get_decoder(syntax)
    monkeypatch.setattr(decoder, "_available", {})
    monkeypatch.setattr(decoder, "_unavailable", {"pylibjpeg": ("pylibjpeg>=2.0", "plug-in>=2")})
    found = found_in(tmp_path)["dicom-no-decoder"]
    assert found.severity == "error" and found.path is None
    assert found.message.startswith("2 DICOM files cannot be decoded here: ")
    assert syntax.name in found.message and "plug-in>=2" in found.message
    assert found.evidence == {"transfer_syntax": str(syntax), "files": 2}


def test_a_syntax_that_nothing_decodes(tmp_path: Path, write: Write) -> None:
    write("1.dcm")
    path = tmp_path / "1.dcm"
    plain, video = b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.4.100"
    data = path.read_bytes()
    at = data.index(b"\x02\x00\x10\x00UI")
    length = len(video) + 1
    path.write_bytes(
        data[: at + 6] + length.to_bytes(2, "little") + video + b"\0" + data[at + 8 + len(plain) :]
    )
    found = found_in(tmp_path)["dicom-no-decoder"]
    assert "no decoder exists for transfer syntax MPEG2 Main Profile" in found.message


def test_contrast_that_differs_between_classes(tmp_path: Path, write: Write) -> None:
    for n in range(4):
        write(f"NORMAL/{n}.dcm")
        write(f"PNEUMONIA/{n}.dcm", WindowCenter=None if n else 1000, RescaleIntercept=-9)
        write(f"OTHER/{n}.dcm", WindowCenter=None if n > 1 else 1000)
    found = found_in(tmp_path)["dicom-contrast"]
    assert found.severity == "info" and found.evidence["classes_differ"]
    assert "a window: 100% of NORMAL, 0% of PNEUMONIA" in found.message
    assert found.evidence["files"]["a rescale, then the image's own range"] == 3


def test_photometric_spacing_and_makers(tmp_path: Path, write: Write) -> None:
    write("1.dcm", PhotometricInterpretation="MONOCHROME1", Manufacturer="acme")
    write("2.dcm", Manufacturer="Other", PixelSpacing=[0.4, 0.4])
    write("3.dcm", PixelSpacing=None)
    found = found_in(tmp_path)
    assert found["dicom-photometric"].evidence["files"] == {"MONOCHROME1": 1, "MONOCHROME2": 2}
    assert "MONOCHROME1 is inverted" in found["dicom-photometric"].message
    assert found["dicom-spacing"].severity == "warning"
    assert "from 0.15 to 0.4 mm" in found["dicom-spacing"].message
    assert found["dicom-spacing-absent"].evidence["files"] == {"absent": 1}
    assert found["dicom-manufacturers"].evidence["files"] == {"ACME": 2, "OTHER": 1}
