from __future__ import annotations

import shutil

import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from cxr.errors import DataError
from cxr.find import read_manifest
from cxr.find.layouts.dicom_headers import header_facts, read_headers
from cxr.find.secret import pseudonym, pseudonym_key

KEY = b"0123456789abcdef"


@pytest.fixture
def write_dicom(tmp_path):
    def write(name="a.dcm", **tags):
        meta = FileMetaDataset()
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.1"
        meta.MediaStorageSOPInstanceUID = "1.2.3"
        dataset = FileDataset(str(tmp_path / name), {}, file_meta=meta, preamble=bytes(128))
        for tag, value in tags.items():
            setattr(dataset, tag, value)
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        dataset.save_as(tmp_path / name)
        return tmp_path / name

    return write


def test_facts(write_dicom):
    path = write_dicom(
        PatientID=" 4711 ",
        StudyInstanceUID="1.2.3.4",
        ViewPosition="PA",
        PatientAge="058Y",
        PatientSex="F",
    )
    assert header_facts(path, KEY) == {
        "patient": pseudonym(KEY, "", "4711"),
        "study": pseudonym(KEY, "study", "1.2.3.4"),
        "view": "PA",
        "age": 58.0,
        "sex": "F",
    }


def test_what_is_not_given_is_absent(write_dicom):
    assert header_facts(write_dicom(PatientID="", PatientSex=""), KEY) == {}


def test_the_issuer_tells_equal_identifiers_apart(write_dicom):
    one, other = (
        header_facts(write_dicom(PatientID="1", IssuerOfPatientID=issuer), KEY)["patient"]
        for issuer in ("hospital A", "hospital B")
    )
    assert one != other


def test_high_ages_are_given_as_90(write_dicom):
    assert header_facts(write_dicom(PatientAge="101Y"), KEY)["age"] == 90.0


def test_damaged_files_say_nothing(tmp_path, write_dicom):
    whole = write_dicom(PatientID="4711")
    (tmp_path / "short.dcm").write_bytes(whole.read_bytes()[:140])
    (tmp_path / "text.dcm").write_text("not DICOM")
    deflated = whole.read_bytes().replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.1.99")
    (tmp_path / "deflated.dcm").write_bytes(deflated)
    names = ["short.dcm", "text.dcm", "gone.dcm", "deflated.dcm", "a.dcm"]
    facts = read_headers([tmp_path / name for name in names])
    assert facts[:4] == [{}] * 4
    assert facts[4]["patient"] == pseudonym(pseudonym_key(), "", "4711")


def test_malformed_identifiers_are_quoted_nowhere(tmp_path, write_dicom, recwarn, capsys):
    path = write_dicom(PatientID="X")
    secret = "SECRET" * 20
    dataset = pydicom.dcmread(path)
    element = pydicom.DataElement("PatientID", "LO", "X")
    element._value = secret
    dataset["PatientID"] = element
    dataset.save_as(path)
    header_facts(path, KEY)
    assert not recwarn.list
    assert secret not in "".join(capsys.readouterr())


def test_real_file(shared_data):
    path = shared_data / "dicom" / "chest_cr_monochrome1_jpeg2000.dcm"
    header = pydicom.dcmread(path, stop_before_pixels=True)
    facts = header_facts(path, KEY)
    assert facts["view"] == header.ViewPosition
    assert facts["sex"] == header.PatientSex
    assert str(header.PatientID) not in facts["patient"]


def test_another_key_another_name(write_dicom, tmp_path, monkeypatch):
    write_dicom(PatientID="4711", Rows=512)
    first = read_manifest(tmp_path).patients()
    assert first == read_manifest(tmp_path).patients() != [None]
    monkeypatch.setenv("CXR_KEY_FILE", str(tmp_path / "other.key"))
    assert read_manifest(tmp_path).patients() != first


REPORT = "1.2.840.10008.5.1.4.1.1.88.11"
STATE = "1.2.840.10008.5.1.4.1.1.11.1"
IMAGE = "1.2.840.10008.5.1.4.1.1.1"


def test_only_images_get_a_row(write_dicom, tmp_path, capsys):
    write_dicom("a/image.dcm", SOPClassUID=IMAGE, Rows=512)
    write_dicom("a/report.dcm", SOPClassUID=REPORT, Modality="SR")
    write_dicom("a/state", SOPClassUID=STATE, Modality="PR")
    write_dicom("a/image_without_extension", SOPClassUID=IMAGE, Rows=512)
    write_dicom("a/private.dcm", SOPClassUID="1.2.3")
    shutil.copy(get_testdata_file("DICOMDIR", download=False), tmp_path / "a" / "DICOMDIR")
    shutil.copy(get_testdata_file("DICOMDIR", download=False), tmp_path / "a" / "index.dcm")
    # An image that was cut off before its Rows is damaged: `cxr check` is to say so.
    write_dicom("a/cut.dcm", SOPClassUID=IMAGE)
    rows = read_manifest(tmp_path).table["path"].tolist()
    names = ("cut.dcm", "image.dcm", "image_without_extension", "private.dcm")
    assert rows == [f"a/{name}" for name in names]
    said = capsys.readouterr().err
    assert "left out 3 DICOM files that hold no image" in said and "1 Basic Text SR Storage" in said


def test_a_folder_of_reports(write_dicom, tmp_path):
    write_dicom("report.dcm", SOPClassUID=REPORT)
    with pytest.raises(DataError, match=r"only DICOM files without one \(1 Basic Text SR"):
        read_manifest(tmp_path)


def tree(write_dicom, rows):
    for n, (folder, patient, study) in enumerate(rows):
        write_dicom(
            f"{folder}/{n}.dcm",
            SOPClassUID=IMAGE,
            Rows=9,
            PatientID=patient,
            StudyInstanceUID=study,
        )


@pytest.mark.parametrize(
    ("rows", "classes"),
    [
        # An archive: a folder for each patient, though one was seen twice.
        ([("0001", "A", "1"), ("0001", "A", "2"), ("0002", "B", "3")], ()),
        # Somebody's classes.
        ([("ill", "A", "1"), ("ill", "B", "2"), ("well", "C", "3")], ("ill", "well")),
        # Classes after an anonymiser that gave everybody one name, or none.
        ([("ill", "ANON", "1"), ("ill", "ANON", "2"), ("well", "ANON", "3")], ("ill", "well")),
        ([("ill", "", "1"), ("ill", "", "2"), ("well", "", "3")], ("ill", "well")),
        # A medium with the studies of one patient.
        ([("S1", "A", "1"), ("S1", "A", "1"), ("S2", "A", "2")], ()),
    ],
)
def test_folders_of_patients_are_no_classes(write_dicom, tmp_path, capsys, rows, classes):
    tree(write_dicom, rows)
    manifest = read_manifest(tmp_path)
    assert manifest.classes == classes
    assert len(manifest) == len(rows)
    assert ("are no classes" in capsys.readouterr().err) == (not classes)


def test_labels_of_a_table_stay(write_dicom, tmp_path):
    tree(write_dicom, [("0001", "A", "1"), ("0002", "B", "2")])
    (tmp_path / "t.csv").write_text("path,label\n0001/0.dcm,ill\n0002/1.dcm,well\n")
    assert read_manifest(tmp_path / "t.csv").classes == ("ill", "well")
