"""Headers as archives hold them: one line for what cannot be filed, never a name in it."""

from __future__ import annotations

import warnings
from io import BytesIO

import pydicom
import pytest

from cxr.apply.dicom import make_results
from cxr.apply.dicom.source import REQUIRED_EMPTY, read_source
from cxr.errors import ImageError

ID = "SECRET-4711"


def written(dataset):
    """As it is read back."""
    file = BytesIO()
    pydicom.dcmwrite(file, dataset, implicit_vr=False, little_endian=True)
    return pydicom.dcmread(BytesIO(file.getvalue()), force=True)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"StudyInstanceUID": None}, "StudyInstanceUID is missing"),
        ({"SeriesInstanceUID": ""}, "SeriesInstanceUID is missing"),
        ({"SOPInstanceUID": None}, "SOPInstanceUID is missing"),
        ({"StudyInstanceUID": b"SECRET^no uid "}, "StudyInstanceUID is not a UID"),
        ({"StudyInstanceUID": b"1." + b"2" * 79}, "StudyInstanceUID is not a UID"),
        ({"PatientName": b"SECRET^M\xfcller"}, "PatientName is damaged or not in the character"),
        (
            {"SpecificCharacterSet": "ISO_IR 999", "PatientName": b"SECRET^M\xfcller"},
            "PatientName is damaged or not in the character",
        ),
        (
            {"SpecificCharacterSet": "ISO_IR 192", "PatientName": b"SECRET^M\xfcller"},
            "PatientName is damaged or not in the character",
        ),
        ({"PatientID": b"SECRET\\4711 "}, "PatientID is damaged"),
        ({"PatientID": b"SECRET" * 12}, "PatientID is damaged"),
        ({"PatientID": b"SECRET\x1b4711"}, "PatientID is damaged"),
        ({"Manufacturer": "cxr"}, "is a result that cxr made"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.2"}, "is no image .* but CT Image Storage"),
        ({"SOPClassUID": "1.2.3"}, "is no image .* but 1.2.3"),
        ({"NumberOfFrames": 2}, "2 frames"),
        ({"Rows": None}, "without Rows"),
        ({"PixelData": None}, "DICOM without an image"),
    ],
)
def test_what_cannot_be_filed_is_refused_in_one_line(predictor, make_image, changes, reason):
    with pytest.raises(ImageError, match=reason) as caught:
        make_results(predictor, make_image(**changes), name="image 7")
    assert str(caught.value).startswith("image 7: ")
    assert "\n" not in str(caught.value) and "SECRET" not in str(caught.value)


@pytest.mark.parametrize("data", [b"", b"\x00" * 500, b"\x89PNG\r\n" + b"x" * 200, b"DICM" * 100])
def test_other_files(data):
    with pytest.raises(ImageError, match=r"not a DICOM file|damaged|missing"):
        read_source(data, "x")


def test_image_classes():
    from cxr.apply.dicom.source import FOR_PROCESSING, IMAGE_CLASSES

    for number, name in IMAGE_CLASSES.items():
        assert pydicom.uid.UID(number).name == name
    assert pydicom.uid.DigitalXRayImageStorageForProcessing == FOR_PROCESSING


@pytest.mark.parametrize("cut", [140, 200, 400, 700])
def test_a_file_that_ends_early(make_image, cut):
    with pytest.raises(ImageError):
        read_source(make_image()[:cut], "x")


@pytest.mark.parametrize(
    ("changes", "empty"),
    [
        ({"PatientBirthDate": b"1970/01/01"}, "PatientBirthDate"),
        ({"PatientSex": b"weiblich"}, "PatientSex"),
        ({"StudyTime": b"half past"}, "StudyTime"),
        ({"AccessionNumber": b"a number longer than sixteen"}, "AccessionNumber"),
        ({"ReferringPhysicianName": b"Dr M\xfcller"}, "ReferringPhysicianName"),
        ({"StudyID": None}, "StudyID"),
        ({"PatientName": None}, "PatientName"),
    ],
)
def test_what_is_broken_or_missing_is_left_empty(make_image, changes, empty):
    assert not written(read_source(make_image(**changes), "x").subject)[empty].value


def test_without_the_patient_module(predictor, make_image, conforms, tmp_path):
    gone = dict.fromkeys(("PatientName", "PatientID", "PatientBirthDate", "PatientSex"))
    for number, instance in enumerate(make_results(predictor, make_image(**gone)).instances):
        assert all(keyword in instance for keyword in REQUIRED_EMPTY)
        path = tmp_path / f"{number}.dcm"
        pydicom.dcmwrite(path, instance, enforce_file_format=True)
        conforms(path)


@pytest.mark.parametrize(
    ("charset", "encoded", "name"),
    [
        ("ISO_IR 100", "Müller^Jörg".encode("latin-1"), "Müller^Jörg"),
        ("ISO_IR 192", "Müller^Jörg".encode(), "Müller^Jörg"),
        ("ISO_IR 144", "Люкceмбypг".encode("iso8859-5"), "Люкceмбypг"),
        ("GB18030", "王^小东".encode("gb18030"), "王^小东"),
        (
            ["", "ISO 2022 IR 87"],
            b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B",
            "Yamada^Tarou=山田^太郎",
        ),
        ("ISO_IR 999", b"Miller^J", "Miller^J"),
    ],
)
def test_names_in_other_scripts_stay_the_same(make_image, charset, encoded, name):
    data = make_image(SpecificCharacterSet=charset, PatientName=encoded)
    subject = written(read_source(data, "x").subject)
    assert (subject.PatientName, subject.PatientID) == (name, ID)


def test_a_name_in_another_script_is_in_the_results(predictor, make_image):
    data = make_image(SpecificCharacterSet="GB18030", PatientName="王^小东".encode("gb18030"))
    for instance in make_results(predictor, data).instances:
        assert written(instance).PatientName == "王^小东"


def test_no_warning_quotes_a_patient(predictor, make_image):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        make_results(predictor, make_image(PatientName="SECRET", PatientBirthDate=b"SECRET"))
    assert not [str(one.message) for one in caught if "SECRET" in str(one.message)]
