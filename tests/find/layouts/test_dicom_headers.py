from __future__ import annotations

import hashlib

import pydicom
import pytest
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from cxr.find.layouts.dicom_headers import header_facts, pseudonym, read_headers


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
    assert header_facts(path) == {
        "patient": "dcm-" + hashlib.sha256(b"\x004711").hexdigest()[:12],
        "study": "dcm-" + hashlib.sha256(b"\x001.2.3.4").hexdigest()[:12],
        "view": "PA",
        "age": 58.0,
        "sex": "F",
    }


def test_what_is_not_given_is_absent(write_dicom):
    assert header_facts(write_dicom(PatientID="", PatientSex="")) == {}


def test_the_issuer_tells_equal_identifiers_apart(write_dicom):
    one, other = (
        header_facts(write_dicom(PatientID="1", IssuerOfPatientID=issuer))["patient"]
        for issuer in ("hospital A", "hospital B")
    )
    assert one != other
    assert pseudonym("") is None


def test_high_ages_are_given_as_90(write_dicom):
    assert header_facts(write_dicom(PatientAge="101Y"))["age"] == 90.0


def test_damaged_files_say_nothing(tmp_path, write_dicom):
    whole = write_dicom(PatientID="4711")
    (tmp_path / "short.dcm").write_bytes(whole.read_bytes()[:140])
    (tmp_path / "text.dcm").write_text("not DICOM")
    deflated = whole.read_bytes().replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.1.99")
    (tmp_path / "deflated.dcm").write_bytes(deflated)
    names = ["short.dcm", "text.dcm", "gone.dcm", "deflated.dcm", "a.dcm"]
    facts = read_headers([tmp_path / name for name in names])
    assert facts[:4] == [{}] * 4
    assert facts[4]["patient"] == pseudonym("4711")


def test_malformed_identifiers_are_quoted_nowhere(tmp_path, write_dicom, recwarn, capsys):
    path = write_dicom(PatientID="X")
    secret = "SECRET" * 20
    dataset = pydicom.dcmread(path)
    element = pydicom.DataElement("PatientID", "LO", "X")
    element._value = secret
    dataset["PatientID"] = element
    dataset.save_as(path)
    header_facts(path)
    assert not recwarn.list
    assert secret not in "".join(capsys.readouterr())


def test_real_file(shared_data):
    path = shared_data / "dicom" / "chest_cr_monochrome1_jpeg2000.dcm"
    header = pydicom.dcmread(path, stop_before_pixels=True)
    facts = header_facts(path)
    assert facts["view"] == header.ViewPosition
    assert facts["sex"] == header.PatientSex
    assert str(header.PatientID) not in facts["patient"]
