"""Copies of DICOM files hold nothing of who it was, and say how that was done."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from PIL import Image, ImageDraw, ImageFont

from cxr.check.deidentify import deidentify
from cxr.check.deidentify.apply import Pseudonyms, apply_profile
from cxr.check.deidentify.copies import _renew_meta as renew_meta
from cxr.check.methods.text_detection import text_regions
from cxr.errors import StorageError, UnknownName, UsageError
from cxr.find.phantom import write_phantom
from cxr.pixels import load_grey
from helpers import planted

KEY = b"a key for tests only"


def run(source: Path, out: Path, **options: Any) -> Any:
    return deidentify(source, out, **({"key": KEY} | options))


def copy_of(done: Any) -> Path:
    (path,) = done.written
    return path


def reasons(done: Any) -> dict[str, str]:
    return {one.path.name: one.reason for one in done.left_out}


def test_nothing_planted_is_left_in_the_bytes(tmp_path: Path) -> None:
    original = planted.write(planted.planted(), tmp_path / "in" / "Quillfeather.dcm")
    before = original.read_bytes()
    assert len(planted.PLANTED) >= 30
    assert all(word.encode() in before for word in planted.WORDS if word != "1943-02-17")
    copy = copy_of(run(tmp_path / "in", tmp_path / "out"))
    data = copy.read_bytes()
    assert [word for word in planted.WORDS if word.encode().lower() in data.lower()] == []
    assert [word for word in planted.WORDS if word in str(copy.relative_to(tmp_path))] == []
    assert original.read_bytes() == before


def test_what_stays_and_what_the_copy_says(tmp_path: Path) -> None:
    dataset = planted.planted()
    planted.write(dataset, tmp_path / "in" / "a.dcm")
    copy = pydicom.dcmread(copy_of(run(tmp_path / "in", tmp_path / "out")))
    assert (copy.Modality, copy.BodyPartExamined, copy.ViewPosition) == ("CR", "CHEST", "PA")
    assert copy.Manufacturer == "Acme" and copy.WindowWidth == 4096
    assert copy.ProcessingFunction in ("", None)  # it named the patient
    assert copy.PixelData == dataset.PixelData
    assert copy.file_meta.TransferSyntaxUID == dataset.file_meta.TransferSyntaxUID
    assert copy.file_meta.MediaStorageSOPInstanceUID == copy.SOPInstanceUID
    assert "SourceApplicationEntityTitle" not in copy.file_meta
    assert copy.preamble == bytes(128)
    assert copy.PatientIdentityRemoved == "YES"
    assert copy.LongitudinalTemporalInformationModified == "REMOVED"
    assert "PS3.15" in copy.DeidentificationMethod
    code = copy.DeidentificationMethodCodeSequence[0]
    assert (code.CodeValue, code.CodingSchemeDesignator) == ("113100", "DCM")
    # PS3.15 table E.1-1: Z is there and empty, X is gone, D is a dummy.
    assert [copy[word].value for word in ("PatientName", "PatientSex", "StudyDate") if word in copy]
    assert not any(copy[word].value for word in ("PatientName", "PatientBirthDate", "StudyDate"))
    gone = ("PatientAge", "PatientAddress", "StudyDescription", "RequestAttributesSequence")
    assert not any(word in copy for word in gone)
    assert copy.StationName == "ANONYMIZED" and copy.SeriesDate == "00010101"
    assert not [element for element in copy.iterall() if element.tag.is_private]


def test_references_follow_their_targets(tmp_path: Path) -> None:
    target = planted.planted(SOPInstanceUID=planted.NESTED_UID)
    planted.write(target, tmp_path / "in" / "target.dcm")
    planted.write(planted.planted(), tmp_path / "in" / "source.dcm")
    copies = [pydicom.dcmread(path) for path in run(tmp_path / "in", tmp_path / "out").written]
    uids = {copy.SOPInstanceUID for copy in copies}
    referred = {copy.SourceImageSequence[0].ReferencedSOPInstanceUID for copy in copies}
    assert len(uids) == 2 and referred < uids
    assert all(uid.startswith("2.25.") and uid.is_valid for uid in uids)
    assert len({copy.StudyInstanceUID for copy in copies}) == 1


def test_pseudonyms_are_kept_from_run_to_run(tmp_path: Path) -> None:
    planted.write(planted.planted(), tmp_path / "in" / "a.dcm")
    one, two = (copy_of(run(tmp_path / "in", tmp_path / name)) for name in ("one", "two"))
    assert one.relative_to(tmp_path / "one") == two.relative_to(tmp_path / "two")
    assert one.read_bytes() == two.read_bytes()
    other = copy_of(run(tmp_path / "in", tmp_path / "three", key=b"another key, of sixteen"))
    assert (
        other.relative_to(tmp_path / "three").parts[0] != one.relative_to(tmp_path / "one").parts[0]
    )


def test_patients_are_told_apart(tmp_path: Path) -> None:
    for i, (identifier, issuer) in enumerate([("1", "A"), ("1", "B"), ("2", "A"), ("1", "A")]):
        dataset = planted.planted(
            PatientID=identifier, IssuerOfPatientID=issuer, SOPInstanceUID=f"1.2.3.4.5.{i}"
        )
        planted.write(dataset, tmp_path / "in" / f"{i}.dcm")
    dataset = planted.planted(PatientID="", SOPInstanceUID="1.2.3.4.5.9")
    planted.write(dataset, tmp_path / "in" / "9.dcm")
    done = run(tmp_path / "in", tmp_path / "out")
    assert (len(done.written), done.patients) == (5, 4)
    assert (tmp_path / "out" / "unknown").is_dir()


def with_text() -> Any:
    image = Image.fromarray(np.full((300, 320), 90, np.uint8))
    font = ImageFont.load_default(20)
    ImageDraw.Draw(image).text((20, 15), "QUILLFEATHER 17.02.43", font=font, fill=255)
    return planted.planted(np.asarray(image).astype(np.uint16) * 16)


def test_burnt_in_text_is_refused_blanked_or_kept(tmp_path: Path) -> None:
    original = planted.write(with_text(), tmp_path / "in" / "a.dcm")
    assert text_regions(load_grey(original))
    refused = run(tmp_path / "in", tmp_path / "out")
    assert not refused.written and not (tmp_path / "out").exists()
    assert "text seems to be burnt" in reasons(refused)["a.dcm"]
    blanked = run(tmp_path / "in", tmp_path / "out", pixels="blank")
    copy = pydicom.dcmread(copy_of(blanked))
    assert blanked.blanked == 1 and copy.BurnedInAnnotation == "NO"
    assert "blanked" in copy.DeidentificationMethod[1]
    assert np.unique(copy.pixel_array).tolist() == [90 * 16]
    kept = run(tmp_path / "in", tmp_path / "kept", pixels="keep")
    assert pydicom.dcmread(copy_of(kept)).PixelData == pydicom.dcmread(original).PixelData


def test_a_header_that_speaks_of_text_is_believed(tmp_path: Path) -> None:
    planted.write(planted.planted(BurnedInAnnotation="YES"), tmp_path / "in" / "a.dcm")
    assert "the header says" in reasons(run(tmp_path / "in", tmp_path / "out"))["a.dcm"]
    done = run(tmp_path / "in", tmp_path / "out", pixels="blank")
    assert "none was found" in reasons(done)["a.dcm"]
    assert len(run(tmp_path / "in", tmp_path / "out", pixels="keep").written) == 1


def test_the_phantoms_images(tmp_path: Path) -> None:
    folder = write_phantom(tmp_path / "in", n_images=6, format="dicom", size=128)
    done = run(folder, tmp_path / "out", pixels="blank")
    assert len(done.written) == 6 and done.blanked == 6
    assert set(reasons(done)) == {"README.txt", "manifest.csv"}
    assert not any(text_regions(load_grey(path)) for path in done.written)


def test_a_real_compressed_image(tmp_path: Path, shared_data: Path) -> None:
    original = shared_data / "dicom" / "chest_cr_monochrome1_jpeg2000.dcm"
    before = pydicom.dcmread(original)
    copy = pydicom.dcmread(copy_of(run(original, tmp_path / "out")))
    assert copy.PixelData == before.PixelData
    assert copy.file_meta.TransferSyntaxUID == before.file_meta.TransferSyntaxUID
    assert copy.PhotometricInterpretation == "MONOCHROME1"
    data = copy_of(run(original, tmp_path / "again")).read_bytes()
    for keyword in ("PatientName", "StudyInstanceUID", "InstitutionName", "PatientBirthDate"):
        assert str(before[keyword].value).encode() not in data


FILES = (
    "CT_small.dcm",
    "MR_small.dcm",
    "MR_small_bigendian.dcm",
    "ExplVR_BigEnd.dcm",
    "JPEG2000.dcm",
)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("pixels", ["keep", "blank"])
def test_other_encodings(name: str, pixels: str, tmp_path: Path) -> None:
    from pydicom.data import get_testdata_file

    path = Path(str(get_testdata_file(name, download=False)))
    done = run(path, tmp_path / "out", pixels=pixels)
    if not done.written:  # several frames, or text: the reason is said
        assert pixels == "blank" and "damaged" not in reasons(done)[name]
        return
    before, copy = pydicom.dcmread(path), pydicom.dcmread(copy_of(done))
    assert copy.is_little_endian == before.is_little_endian or done.blanked
    assert done.blanked or copy.PixelData == before.PixelData
    names = {str(before.get("PatientName")), str(before.get("PatientID"))} - {"", "None"}
    assert not any(word.encode() in copy_of(done).read_bytes() for word in names)


def leave_out(keyword: str) -> Callable[..., None]:
    def forgetful(dataset: Any, pseudonyms: Pseudonyms, values: frozenset[bytes]) -> None:
        kept = dataset[keyword].value
        apply_profile(dataset, pseudonyms, values)
        setattr(dataset, keyword, kept)

    return forgetful


@pytest.mark.parametrize(
    ("keyword", "value", "said"),
    [
        ("PatientAddress", "17 Larkspur Crescent", "PatientAddress is still there"),
        ("PatientName", "Quillfeather^Ottoline", "PatientName is not empty"),
        ("StudyInstanceUID", "1.2.826.0.99.5.1", "StudyInstanceUID is an original UID"),
        ("ProcessingFunction", "for Quillfeather only", "left in ProcessingFunction"),
        ("ExposuresOnPlate", 5, None),
    ],
)
def test_the_proof_catches_what_was_forgotten(
    keyword: str,
    value: Any,
    said: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    planted.write(planted.planted(**{keyword: value}), tmp_path / "in" / "a.dcm")
    monkeypatch.setattr("cxr.check.deidentify.copies.apply_profile", leave_out(keyword))
    done = run(tmp_path / "in", tmp_path / "out")
    if said is None:
        assert len(done.written) == 1
        return
    assert said in reasons(done)["a.dcm"] and str(value) not in reasons(done)["a.dcm"]
    assert not list((tmp_path / "out").iterdir())


def test_the_proof_looks_at_the_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name in a place that no attribute's text is: the preamble."""
    planted.write(planted.planted(), tmp_path / "in" / "a.dcm")

    def forgetful(dataset: Any) -> None:
        renew_meta(dataset)
        dataset.preamble = b"quillfeather".ljust(128, b"\0")

    monkeypatch.setattr("cxr.check.deidentify.copies._renew_meta", forgetful)
    assert "header's bytes" in reasons(run(tmp_path / "in", tmp_path / "out"))["a.dcm"]


def test_the_proof_looks_at_the_pixels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    planted.write(planted.planted(), tmp_path / "in" / "a.dcm")
    digest = hashlib.sha256(b"other").hexdigest()
    monkeypatch.setattr("cxr.check.deidentify.copies.pixel_digest", lambda _: digest)
    assert "the pixels have changed" in reasons(run(tmp_path / "in", tmp_path / "out"))["a.dcm"]


def test_bad_files_do_not_stop_the_others(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    good = planted.write(planted.planted(), folder / "deep" / "er" / "good")  # no extension
    planted.write(planted.planted(), folder / "twin.dcm")
    (folder / "cut.dcm").write_bytes(good.read_bytes()[:1500])
    (folder / "empty.dcm").write_bytes(b"")
    (folder / "note.txt").write_text("hello")
    report = planted.planted()
    del report.PixelData
    planted.write(report, folder / "report.dcm")
    hidden = planted.planted()
    hidden.add_new(0x60000102, "US", 15)
    planted.write(hidden, folder / "overlay.dcm")
    done = run(folder, tmp_path / "out")
    assert len(done.written) == 1
    said = reasons(done)
    assert set(said) == {
        *("twin.dcm", "cut.dcm", "empty.dcm", "note.txt", "report.dcm", "overlay.dcm")
    }
    assert "same SOP Instance UID" in said["twin.dcm"]
    assert said["report.dcm"] == "DICOM without an image" and "overlay" in said["overlay.dcm"]
    assert not [one for one in said.values() if any(word in one for word in planted.WORDS)]


def test_pydicom_warns_of_nothing(tmp_path: Path, recwarn: Any, caplog: Any, capfd: Any) -> None:
    """Its warnings quote values; here of a syntax that a fault has joined with what follows it."""
    data = planted.write(planted.planted(), tmp_path / "in" / "a.dcm").read_bytes()
    at = data.index(b"1.2.840.10008.1.2.1\0") - 2
    (tmp_path / "in" / "a.dcm").write_bytes(data[:at] + b"\xff\x03" + data[at + 2 :])
    done = run(tmp_path / "in", tmp_path / "out")
    assert len(done.left_out) == 1
    said = " ".join([reasons(done)["a.dcm"], caplog.text, *capfd.readouterr()])
    assert not recwarn.list and "Quillfeather" not in said and "SENDER" not in said


def test_overlays_and_curves_go(tmp_path: Path) -> None:
    dataset = planted.planted()
    dataset.add_new(0x60000010, "US", 8)
    dataset.add_new(0x60003000, "OW", b"\1\2" * 4)
    dataset.add_new(0x60000022, "LO", "drawn by nurse Hobday")
    planted.write(dataset, tmp_path / "in" / "a.dcm")
    copy = pydicom.dcmread(copy_of(run(tmp_path / "in", tmp_path / "out")))
    assert not [tag for tag in copy.keys() if tag.group == 0x6000]  # noqa: SIM118


def test_wrong_usage(tmp_path: Path) -> None:
    folder = planted.write(planted.planted(), tmp_path / "in" / "a.dcm").parent
    for out in (folder, folder / "out", tmp_path):
        with pytest.raises(UsageError, match="lie in one another"):
            run(folder, out)
    with pytest.raises(UsageError, match="there is no"):
        run(tmp_path / "im", tmp_path / "out")
    with pytest.raises(UnknownName, match="blank"):
        run(folder, tmp_path / "out", pixels="blnk")
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError):
        run(folder, tmp_path / "file")


def test_the_users_own_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXR_KEY_FILE", str(tmp_path / "key"))
    planted.write(planted.planted(), tmp_path / "in" / "a.dcm")
    one, two = (copy_of(deidentify(tmp_path / "in", tmp_path / name)) for name in ("one", "two"))
    assert (tmp_path / "key").is_file() and one.name == two.name
