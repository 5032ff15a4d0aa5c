"""A receiver on a free port, and senders that are kind or careless."""

from __future__ import annotations

import socket
from io import BytesIO

import pydicom
import pytest
from pynetdicom import AE, evt
from pynetdicom.sop_class import (
    ComprehensiveSRStorage,
    CTImageStorage,
    SecondaryCaptureImageStorage,
    Verification,
)

from cxr.apply.dicom import Listener, ListenSettings, Peer, peer
from cxr.apply.dicom import listener as listener_module
from cxr.errors import UsageError
from helpers.dicom_network import associate, send, wait_for


def test_echo(listening):
    association = associate(listening().port)
    assert association.send_c_echo().Status == 0
    association.release()


def test_images_become_results_in_a_folder(listening, make_image, tmp_path, capsys):
    listener = listening()
    statuses = send(listener.port, make_image(), make_image(SOPInstanceUID="1.2.3"))
    assert [status.Status for status in statuses] == [0, 0]
    wait_for(lambda: listener.done == 2)
    files = sorted((tmp_path / "out").iterdir())
    assert [pydicom.dcmread(file).PatientID for file in files] == ["SECRET-4711"] * 4
    log = capsys.readouterr()
    assert "image 1: results in" in log.err
    assert "SECRET" not in log.err + log.out


def test_results_go_back_to_the_sender(listening, make_image):
    got = []

    def keep(event):
        got.append(event.dataset)
        return 0x0000

    archive = AE("SENDER")
    archive.require_called_aet = True
    for sop_class in (ComprehensiveSRStorage, SecondaryCaptureImageStorage):
        archive.add_supported_context(sop_class)
    server = archive.start_server(("127.0.0.1", 0), False, evt_handlers=[(evt.EVT_C_STORE, keep)])
    try:
        listener = listening(out=None, send_to=Peer.parse(f"sender:{server.server_address[1]}"))
        data = make_image()
        send(listener.port, data)
        wait_for(lambda: listener.done + listener.failed == 1)
    finally:
        archive.shutdown()
    assert sorted(one.Modality for one in got) == ["OT", "SR"]
    assert {one.StudyInstanceUID for one in got} == {
        pydicom.dcmread(BytesIO(data)).StudyInstanceUID
    }


def test_a_peer_that_is_away_fails_one_image_only(
    listening, make_image, monkeypatch, capsys, tmp_path
):
    monkeypatch.setattr(peer, "WAITS", (0.0,))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        listener = listening(out=None, send_to=Peer("PACS", "127.0.0.1", taken.getsockname()[1]))
        send(listener.port, make_image())
        wait_for(lambda: listener.failed == 1)
    assert "no DICOM application answers there" in capsys.readouterr().err


def test_a_bad_image_never_ends_it(listening, make_image, capsys):
    listener = listening()
    bad = [
        make_image(StudyInstanceUID=None),
        make_image(Manufacturer="cxr"),
        make_image(PatientID=b"SECRET" * 20),
    ]
    for status, reason in zip(
        send(listener.port, *bad), ("is missing", "cxr made", "damaged"), strict=True
    ):
        assert status.Status == 0xC000
        assert reason in status.ErrorComment or len(status.ErrorComment) == 64
    [status] = send(listener.port, make_image(PhotometricInterpretation="SECRET"))
    assert status.Status == 0  # its header is whole
    wait_for(lambda: listener.failed == 4)
    assert [status.Status for status in send(listener.port, make_image())] == [0]
    wait_for(lambda: listener.done == 1)
    log = capsys.readouterr().err
    assert "image 4 failed" in log and "image 1 is refused: StudyInstanceUID is missing" in log
    assert "SECRET-" not in log and "SECRET^" not in log


def test_an_unexpected_error_never_ends_it(listening, make_image, monkeypatch, capsys):
    def fall(*_, **__):
        raise RuntimeError("of SECRET^Person")

    with monkeypatch.context() as broken:
        broken.setattr(listener_module, "make_results", fall)
        listener = listening()
        send(listener.port, make_image())
        wait_for(lambda: listener.failed == 1)
    send(listener.port, make_image())
    wait_for(lambda: listener.done == 1)
    log = capsys.readouterr().err
    assert "unexpected RuntimeError" in log and "SECRET" not in log


def test_only_those_allowed_may_send(listening):
    port = listening(allow=("MODALITY",)).port
    assert associate(port, calling="STRANGER").is_rejected
    assert associate(port, called="OTHER", calling="MODALITY").is_rejected
    association = associate(port, calling="MODALITY")
    assert association.is_established
    association.release()


def test_other_kinds_of_object_are_not_accepted(listening):
    association = associate(listening().port, classes=(Verification, CTImageStorage))
    accepted = {context.abstract_syntax for context in association.accepted_contexts}
    association.release()
    assert accepted == {Verification}


def test_a_full_queue_says_so(listening, make_image):
    listener = listening()
    listener.queue.max_images = 0
    [status] = send(listener.port, make_image())
    assert status.Status == 0xA700
    assert "send it later" in status.ErrorComment


def test_too_many_connections_are_closed(listening, monkeypatch):
    monkeypatch.setattr(listener_module, "MAX_CONNECTIONS", 2)
    listener = listening()
    held = [socket.create_connection(("127.0.0.1", listener.port), 20) for _ in range(5)]
    wait_for(lambda: len(listener._entity.active_associations) == 2)
    for one in held[2:]:
        one.settimeout(20)
        assert not one.recv(10)
    for one in held:
        one.close()


def test_stopping_finishes_what_waits(predictor, make_image, tmp_path):
    settings = ListenSettings(port=0, out=tmp_path / "out")
    with Listener(predictor, settings) as listener:
        send(listener.port, *(make_image(SOPInstanceUID=f"1.2.{n}") for n in range(3)))
        listener.request_stop()
        listener.wait()
    assert listener.done == 3
    assert len(list((tmp_path / "out").iterdir())) == 6
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", listener.port), 20)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"host": "0.0.0.0"}, "--allow-ae"),
        ({"host": "192.0.2.1"}, "--allow-ae"),
        ({"out": None}, "say where results go"),
        ({"ae_title": "A" * 17}, "at most 16"),
        ({"ae_title": " "}, "is no AE title"),
        ({"allow": ("ü",)}, "is no AE title"),
    ],
)
def test_settings_that_are_refused(settings, reason, tmp_path):
    with pytest.raises(UsageError, match=reason):
        ListenSettings(**{"out": tmp_path, **settings}).check()


def test_a_port_that_is_taken(predictor, listening, tmp_path):
    port = listening().port
    with pytest.raises(UsageError, match="cannot listen on"):
        Listener(predictor, ListenSettings(port=port, out=tmp_path)).__enter__()
