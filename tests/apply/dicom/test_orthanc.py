"""The round trip through a real archive: study in, results back into the same study."""

from __future__ import annotations

import time
from io import BytesIO

import pydicom
import pytest
from dicomweb_client.api import DICOMwebClient

from cxr.apply.dicom import Archive, Listener, ListenSettings, Peer, answer_studies, make_results
from cxr.apply.dicom.peer import send

COMPREHENSIVE_SR, CAPTURE = "1.2.840.10008.5.1.4.1.1.88.33", "1.2.840.10008.5.1.4.1.1.7"


@pytest.fixture
def archive(orthanc):
    return Archive(orthanc.url)


@pytest.fixture
def client(orthanc):
    return DICOMwebClient(orthanc.url)


def dataset(data):
    return pydicom.dcmread(BytesIO(data))


def results_in(client, study, conforms, folder):
    """SOP class -> the instance, of all that cxr put into a study; each retrieved and checked."""
    found = {}
    for item in client.search_for_instances(study, fields=["SOPClassUID"]):
        item = pydicom.Dataset.from_json(item)
        if item.SOPClassUID not in (COMPREHENSIVE_SR, CAPTURE):
            continue
        instance = client.retrieve_instance(study, item.SeriesInstanceUID, item.SOPInstanceUID)
        path = folder / f"{item.SOPInstanceUID}.dcm"
        instance.save_as(path)
        conforms(path)
        assert item.SOPClassUID not in found
        found[item.SOPClassUID] = instance
    return found


def check(found, image, prediction):
    assert set(found) == {COMPREHENSIVE_SR, CAPTURE}
    for instance in found.values():
        assert instance.PatientID == image.PatientID
        assert instance.StudyInstanceUID == image.StudyInstanceUID
    report = found[COMPREHENSIVE_SR]
    [evidence] = report.CurrentRequestedProcedureEvidenceSequence
    [reference] = evidence.ReferencedSeriesSequence[0].ReferencedSOPSequence
    assert reference.ReferencedSOPInstanceUID == image.SOPInstanceUID
    assert prediction.not_judged and "NOT JUDGED" in report.SeriesDescription
    assert "Not judged: " in report.to_json()
    assert found[CAPTURE].pixel_array.shape[2] == 3


def test_dicomweb_there_and_back(archive, client, predictor, make_image, conforms, tmp_path):
    data = make_image(
        StudyInstanceUID="1.2.1", SeriesInstanceUID="1.2.1.1", SOPInstanceUID="1.2.1.1.1"
    )
    client.store_instances([dataset(data)])
    [row] = answer_studies(predictor, archive, ["1.2.1"], store=True, out=tmp_path / "out")
    assert row["error"] is None and row["stored"] and row["instance"] == "1.2.1.1.1"
    prediction = make_results(predictor, data).prediction
    assert row["calibrated"] == pytest.approx(prediction.calibrated, abs=1e-6)
    check(results_in(client, "1.2.1", conforms, tmp_path), dataset(data), prediction)
    assert len(row["files"]) == 2

    [again] = answer_studies(predictor, archive, ["1.2.1"], store=True)  # nothing is doubled
    assert again["error"] is None
    assert len(results_in(client, "1.2.1", conforms, tmp_path)) == 2


def test_dimse_there_and_back(orthanc, client, predictor, make_image, conforms, tmp_path):
    data = make_image(
        StudyInstanceUID="1.2.2", SeriesInstanceUID="1.2.2.1", SOPInstanceUID="1.2.2.1.1"
    )
    peer = Peer("ORTHANC", "127.0.0.1", orthanc.port)
    send(peer, [dataset(data)], "CXR")
    with Listener(predictor, ListenSettings(port=0, send_to=peer)) as listener:
        send(Peer("CXR", "127.0.0.1", listener.port), [dataset(data)], "ORTHANC")
        end = time.monotonic() + 60
        while not listener.done and time.monotonic() < end:
            time.sleep(0.02)
    assert (listener.done, listener.failed) == (1, 0)
    found = results_in(client, "1.2.2", conforms, tmp_path)
    check(found, dataset(data), make_results(predictor, data).prediction)


def test_a_real_image_in_its_own_compression(
    archive, client, predictor, shared_data, conforms, tmp_path
):
    path = shared_data / "dicom" / "chest_cr_monochrome1_jpeg2000.dcm"
    image = pydicom.dcmread(path)
    client.store_instances([image])
    [row] = answer_studies(predictor, archive, [image.StudyInstanceUID], store=True)
    assert row["error"] is None
    prediction = predictor.predictions(predictor.pixels(path)[None])[0]
    assert row["calibrated"] == pytest.approx(prediction.calibrated, abs=1e-6)
    check(results_in(client, image.StudyInstanceUID, conforms, tmp_path), image, prediction)


def test_what_is_no_image_is_left_out_with_a_line(archive, client, make_image, capsys):
    own = {"StudyInstanceUID": "1.2.3", "StudyDate": "20240517"}
    client.store_instances(
        [
            dataset(make_image(SeriesInstanceUID="1.2.3.1", SOPInstanceUID="1.2.3.1.1", **own)),
            dataset(
                make_image(
                    SeriesInstanceUID="1.2.3.2", SOPInstanceUID="1.2.3.2.1", Modality="CT", **own
                )
            ),
        ]
    )
    assert archive.studies("20240517", 10) == ["1.2.3"]
    assert archive.studies("20240518", 10) == []
    assert [one.instance for one in archive.images("1.2.3")] == ["1.2.3.1.1"]
    assert "left out, only CR and DX images are read: CT 1" in capsys.readouterr().err


def test_an_image_that_cannot_be_answered_is_a_row(archive, client, predictor, make_image):
    own = {"StudyInstanceUID": "1.2.4", "SeriesInstanceUID": "1.2.4.1"}
    bad = make_image(SOPInstanceUID="1.2.4.1.1", PhotometricInterpretation="SECRET", **own)
    good = make_image(SOPInstanceUID="1.2.4.1.2", **own)
    client.store_instances([dataset(bad), dataset(good)])
    rows = {row["instance"]: row for row in answer_studies(predictor, archive, ["1.2.4"])}
    assert "Photometric Interpretation" in rows["1.2.4.1.1"]["error"]
    assert rows["1.2.4.1.2"]["error"] is None and "stored" not in rows["1.2.4.1.2"]


def test_an_unknown_study_has_no_images(archive):
    assert list(archive.images("1.2.999")) == []
