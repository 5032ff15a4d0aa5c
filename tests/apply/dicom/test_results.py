"""Results read back by pydicom and highdicom: what they say is what the model said."""

from __future__ import annotations

import sys
from io import BytesIO

import highdicom
import numpy as np
import pydicom
import pytest

from cxr.apply.dicom import make_results, write_results
from cxr.apply.dicom.statement import NOTICE
from cxr.errors import ImageError, UsageError
from helpers.frames import BOX, find_lungs, frame_line

OWN = {"THRESHOLD", "DECISION", "CONFIDENT", "UNLIKE", "REASON", "POPULATION", "USE"}


@pytest.fixture(scope="module")
def source(make_image):
    return make_image(PatientSex="F", PatientAge="045Y", BurnedInAnnotation="NO")


@pytest.fixture(scope="module")
def results(predictor, source):
    return make_results(predictor, source)


def back(instance):
    file = BytesIO()
    pydicom.dcmwrite(file, instance, enforce_file_format=True)
    return pydicom.dcmread(BytesIO(file.getvalue()))


def items(sequence):
    for item in sequence:
        yield item
        yield from items(item.get("ContentSequence", []))


def said(report):
    """Own code -> value, of all content items that carry one."""
    found = {}
    for item in items(report.ContentSequence):
        name = item.ConceptNameCodeSequence[0]
        if name.CodingSchemeDesignator == "99CXR":
            if item.ValueType == "NUM":
                found[name.CodeValue] = float(item.MeasuredValueSequence[0].NumericValue)
            elif item.ValueType == "CODE":
                found[name.CodeValue] = item.ConceptCodeSequence[0].CodeMeaning
            else:
                found[name.CodeValue] = item.TextValue
    return found


def test_the_report_says_what_the_prediction_says(predictor, results):
    prediction, found = results.prediction, said(back(results.report))
    assert set(found) == OWN
    assert found["THRESHOLD"] == pytest.approx(0.4)
    decided = "Present" if prediction.decision == "PNEUMONIA" else "Absent"
    assert found["DECISION"] == decided
    assert (found["CONFIDENT"], found["UNLIKE"]) == ("Undetermined", "Undetermined")  # no rules
    assert found["REASON"] == prediction.caution
    assert found["REASON"].startswith("Not judged: whether it is unlike the training images")
    for instance in results.instances:
        assert "NOT JUDGED" in instance.SeriesDescription
    assert found["POPULATION"] == predictor.config.population
    assert NOTICE in found["USE"]


def test_highdicom_reads_the_template_back(predictor, results, source):
    report = highdicom.sr.ComprehensiveSR.from_dataset(back(results.report))
    [group] = report.content.get_image_measurement_groups()
    assert group.finding_type == highdicom.sr.CodedConcept("233604007", "SCT", "Pneumonia")
    image = pydicom.dcmread(BytesIO(source))
    [reference] = group.source_images
    assert reference.referenced_sop_instance_uid == image.SOPInstanceUID
    texts = [item.TextValue for item in items(report.ContentSequence) if item.ValueType == "TEXT"]
    assert f"cxr {predictor.path.stem}" in texts
    assert any(predictor.digest in text for text in texts)
    assert report.VerificationFlag == "UNVERIFIED"
    assert report.PreliminaryFlag == "PRELIMINARY"


def test_both_are_in_the_study_and_of_the_patient_of_the_image(results, source):
    image = pydicom.dcmread(BytesIO(source))
    for instance in map(back, results.instances):
        for keyword in ("StudyInstanceUID", "PatientID", "PatientName", "PatientSex", "StudyDate"):
            assert instance[keyword].value == image[keyword].value
        assert instance.PatientAge == "045Y"
        assert instance.SeriesInstanceUID != image.SeriesInstanceUID
        assert NOTICE in instance.SeriesDescription
        assert instance.Manufacturer == "cxr"
    report, capture = results.instances
    assert report.SeriesInstanceUID != capture.SeriesInstanceUID


def test_the_capture_shows_the_image_and_the_notice(results, source):
    image, capture = pydicom.dcmread(BytesIO(source)), back(results.capture)
    pixels = capture.pixel_array
    assert pixels.shape[2] == 3 and max(pixels.shape) > 1024
    letters = (pixels[:60] == (255, 214, 0)).all(axis=2)
    assert letters.sum() > 500
    assert capture.ImageType == ["DERIVED", "SECONDARY"]
    assert capture.ConversionType == "WSD"
    assert capture.BurnedInAnnotation == "NO"
    assert list(capture.PatientOrientation) == list(image.PatientOrientation)
    [reference] = capture.SourceImageSequence
    assert reference.ReferencedSOPInstanceUID == image.SOPInstanceUID
    assert "PNEUMONIA" in capture.DerivationDescription


def test_nothing_is_claimed_of_the_image_that_the_image_does_not_say(predictor, make_image):
    capture = make_results(
        predictor, make_image(BurnedInAnnotation=None, PatientOrientation=None)
    ).capture
    assert "BurnedInAnnotation" not in capture
    assert not capture.PatientOrientation


@pytest.mark.parametrize("kind", ["report", "capture"])
def test_conforms(kind, results, conforms, tmp_path):
    path = tmp_path / "object.dcm"
    pydicom.dcmwrite(path, getattr(results, kind), enforce_file_format=True)
    conforms(path)


def test_the_same_image_and_model_get_the_same_identifiers(
    predictor, make_predictor, make_image, results, source
):
    again = make_results(predictor, source)
    uids = [(i.SOPInstanceUID, i.SeriesInstanceUID) for i in again.instances]
    assert uids == [(i.SOPInstanceUID, i.SeriesInstanceUID) for i in results.instances]
    assert all(uid.startswith("2.25.") and len(uid) <= 64 for pair in uids for uid in pair)
    others = [
        make_results(make_predictor(seed=2), source),
        make_results(predictor, make_image(SOPInstanceUID="1.2.3.4")),
    ]
    for other in others:
        assert not {i.SOPInstanceUID for i in other.instances} & {pair[0] for pair in uids}
        assert other.name != results.name


def test_another_answer_is_another_document(predictor, source, results):
    from dataclasses import replace

    judged = {"status": "abstains", "not_judged": (), "confident": False}
    prediction = replace(results.prediction, decision="NORMAL", reason="said otherwise", **judged)
    other = make_results(predictor, source, prediction)
    assert other.report.SOPInstanceUID != results.report.SOPInstanceUID
    assert other.report.SeriesInstanceUID == results.report.SeriesInstanceUID
    found = said(other.report)
    assert found["REASON"] == "Said otherwise" and found["DECISION"] == "Absent"
    assert found["PROBABILITY"] == pytest.approx(prediction.calibrated["PNEUMONIA"], abs=5e-5)
    assert NOTICE in other.report.SeriesDescription
    assert "NOT JUDGED" not in other.report.SeriesDescription


def test_probability_is_said_of_a_calibrated_model_only(make_predictor, source):
    from dataclasses import replace

    plain = make_predictor(temperature=1.0)
    prediction = make_results(plain, source).prediction
    judged = replace(prediction, status="confident", not_judged=(), confident=True)
    found = said(make_results(plain, source, judged).report)
    assert "PROBABILITY" not in found and found["SCORE"] == pytest.approx(
        judged.calibrated["PNEUMONIA"], abs=5e-5
    )


def test_several_labels_are_several_findings(make_predictor, make_image, conforms, tmp_path):
    names = ("Effusion", "Überblähung der Lunge \\ rechts", "Infiltration")
    predictor = make_predictor(classes=names, multi_label=True, threshold=0.5)
    results = make_results(predictor, make_image())
    report = highdicom.sr.ComprehensiveSR.from_dataset(back(results.report))
    groups = report.content.get_image_measurement_groups()
    codes = [group.finding_type for group in groups]
    assert [code.scheme_designator for code in codes] == ["SCT", "99CXR", "99CXR"]
    assert codes[1].meaning == "Überblähung der Lunge / rechts"
    assert codes[2].value == "Infiltration"
    for name, group in zip(names, groups, strict=True):
        [threshold] = group.get_measurements()  # no probability: nothing was judged
        assert float(threshold.value) == results.prediction.thresholds[name] == 0.5
    path = tmp_path / "report.dcm"
    pydicom.dcmwrite(path, results.report, enforce_file_format=True)
    conforms(path)


def test_classes_without_a_threshold(make_predictor, make_image):
    from dataclasses import replace

    predictor = make_predictor(classes=("A", "B", "C"))
    prediction = make_results(predictor, make_image()).prediction
    judged = replace(prediction, status="confident", not_judged=(), confident=True)
    results = make_results(predictor, make_image(), judged)
    report = highdicom.sr.ComprehensiveSR.from_dataset(back(results.report))
    groups = report.content.get_image_measurement_groups()
    assert len(groups) == 3 and all(len(group.get_measurements()) == 1 for group in groups)
    present = [
        group.finding_type.value
        for group in groups
        if "Present" in {e.value.meaning for e in group.get_qualitative_evaluations()}
    ]
    assert present == [results.prediction.decision]


def test_files_have_names_that_tell_nothing(predictor, source, tmp_path):
    file = tmp_path / "SECRET Person.dcm"
    file.write_bytes(source)
    out = tmp_path / "out"
    paths = write_results(predictor, file, out)
    assert write_results(predictor, file, out) == paths
    assert sorted(out.iterdir()) == sorted(paths)
    assert [p.name.split("-")[1] for p in paths] == ["report.dcm", "heatmap.dcm"]
    assert not any("SECRET" in path.name for path in paths)
    assert [pydicom.dcmread(path).Modality for path in paths] == ["SR", "OT"]


def test_other_files_are_refused(predictor, tmp_path):
    from PIL import Image

    path = tmp_path / "image.png"
    Image.fromarray(np.zeros((80, 80), np.uint8)).save(path)
    with pytest.raises(ImageError, match="of DICOM images only"):
        write_results(predictor, path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_result_is_never_taken_for_an_image(predictor, results):
    file = BytesIO()
    pydicom.dcmwrite(file, results.capture, enforce_file_format=True)
    with pytest.raises(ImageError, match="a result that cxr made"):
        make_results(predictor, file.getvalue())


@pytest.mark.parametrize("library", ["highdicom.sr", "highdicom.sc"])
def test_a_missing_library_is_one_line(predictor, source, monkeypatch, library):
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(UsageError, match=r'pip install "cxr\[dicom\]"'):
        make_results(predictor, source)


@pytest.fixture(scope="module")
def of_lungs(make_predictor):
    return make_predictor(population="images of phantoms", frame="lungs")


def test_the_frame_is_stated_and_drawn(of_lungs, source, monkeypatch):
    find_lungs(monkeypatch, "none")
    plain = make_results(of_lungs, source)
    find_lungs(monkeypatch)
    results = make_results(of_lungs, source)
    assert results.prediction.frame == BOX
    assert said(back(results.report))["FRAME"] == (
        "the lungs: from 0.250 to 0.750 of its width and from 0.125 to 0.875 of its height, from "
        "the upper left corner; probability of upright lungs 0.938"
    )
    assert (
        frame_line(results.capture.pixel_array).sum() > 1000
        and not frame_line(plain.capture.pixel_array).any()
    )
    assert results.report.SOPInstanceUID != plain.report.SOPInstanceUID


@pytest.mark.parametrize("finding", ["none", "turned", "inverted"])
def test_an_image_without_lungs_is_stated(of_lungs, source, monkeypatch, finding):
    find_lungs(monkeypatch, finding)
    results = make_results(of_lungs, source)
    found = said(back(results.report))
    assert found["FRAME"].startswith("the whole image: ")
    assert found["CONFIDENT"] == "No" and found["REASON"]
    assert not frame_line(results.capture.pixel_array).any()


def test_a_framed_report_and_capture_conform(of_lungs, source, monkeypatch, conforms, tmp_path):
    find_lungs(monkeypatch)
    for number, instance in enumerate(make_results(of_lungs, source).instances):
        path = tmp_path / f"{number}.dcm"
        pydicom.dcmwrite(path, instance, enforce_file_format=True)
        conforms(path)
