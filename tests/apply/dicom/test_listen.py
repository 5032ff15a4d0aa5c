"""A receiver on a free port, and senders that are kind, careless or hostile."""

from __future__ import annotations

import socket
import struct
import time
from io import BytesIO

import pydicom
import pytest
from pynetdicom import AE, evt
from pynetdicom.sop_class import (
    ComprehensiveSRStorage,
    ComputedRadiographyImageStorage,
    CTImageStorage,
    DigitalXRayImageStorageForPresentation,
    SecondaryCaptureImageStorage,
    Verification,
)

from cxr.apply.dicom import Listener, ListenSettings, Peer, gate, peer
from cxr.apply.dicom.inbox import Film, Inbox
from cxr.errors import StorageError, UsageError

IMAGES = (ComputedRadiographyImageStorage, DigitalXRayImageStorageForPresentation)


@pytest.fixture
def listening(predictor, tmp_path):
    """`listening(...)` -> a started listener; stopped at the end of the test."""
    open_ones = []

    def start(**settings):
        settings = {"port": 0, "out": tmp_path / "out", **settings}
        listener = Listener(predictor, ListenSettings(**settings))
        open_ones.append(listener)
        return listener.__enter__()

    yield start
    for listener in open_ones:
        listener.__exit__(None, None, None)


def associate(port, called="CXR", calling="SENDER", classes=(Verification, *IMAGES)):
    entity = AE(calling)
    entity.connection_timeout = entity.acse_timeout = entity.dimse_timeout = 20
    for sop_class in classes:
        entity.add_requested_context(sop_class)
    return entity.associate("127.0.0.1", port, ae_title=called)


def send(port, *films, **names):
    """Statuses of all images, sent one after the other."""
    association = associate(port, **names)
    assert association.is_established
    statuses = [association.send_c_store(pydicom.dcmread(BytesIO(film))) for film in films]
    association.release()
    return statuses


def wait_for(condition):
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_echo(listening):
    association = associate(listening().port)
    assert association.send_c_echo().Status == 0
    association.release()


def test_images_become_results_in_a_folder(listening, film, tmp_path, capsys):
    listener = listening()
    statuses = send(listener.port, film(), film(SOPInstanceUID="1.2.3"))
    assert [status.Status for status in statuses] == [0, 0]
    wait_for(lambda: listener.done == 2)
    files = sorted((tmp_path / "out").iterdir())
    assert [pydicom.dcmread(file).PatientID for file in files] == ["SECRET-4711"] * 4
    log = capsys.readouterr()
    assert "image 1: results in" in log.err
    assert "SECRET" not in log.err + log.out


def test_results_go_back_to_the_sender(listening, film):
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
        data = film()
        send(listener.port, data)
        wait_for(lambda: listener.done + listener.failed == 1)
    finally:
        archive.shutdown()
    assert sorted(one.Modality for one in got) == ["OT", "SR"]
    assert {one.StudyInstanceUID for one in got} == {
        pydicom.dcmread(BytesIO(data)).StudyInstanceUID
    }


def test_a_peer_that_is_away_fails_one_image_only(listening, film, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(peer, "WAITS", (0.0,))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        listener = listening(out=None, send_to=Peer("PACS", "127.0.0.1", taken.getsockname()[1]))
        send(listener.port, film())
        wait_for(lambda: listener.failed == 1)
    assert "no DICOM application answers there" in capsys.readouterr().err


def test_a_bad_image_never_ends_it(listening, film, capsys):
    listener = listening()
    bad = [
        film(StudyInstanceUID=None),
        film(Manufacturer="cxr"),
        film(PatientID=b"SECRET" * 20),
    ]
    for status, reason in zip(
        send(listener.port, *bad), ("is missing", "cxr made", "damaged"), strict=True
    ):
        assert status.Status == 0xC000
        assert reason in status.ErrorComment or len(status.ErrorComment) == 64
    [status] = send(listener.port, film(PhotometricInterpretation="SECRET"))
    assert status.Status == 0  # its header is whole
    wait_for(lambda: listener.failed == 4)
    assert [status.Status for status in send(listener.port, film())] == [0]
    wait_for(lambda: listener.done == 1)
    log = capsys.readouterr().err
    assert "image 4 failed" in log and "image 1 is refused: StudyInstanceUID is missing" in log
    assert "SECRET-" not in log and "SECRET^" not in log


def test_an_unexpected_error_never_ends_it(listening, film, monkeypatch, capsys):
    from cxr.apply.dicom import listen

    def fall(*_, **__):
        raise RuntimeError("of SECRET^Person")

    with monkeypatch.context() as broken:
        broken.setattr(listen, "make_results", fall)
        listener = listening()
        send(listener.port, film())
        wait_for(lambda: listener.failed == 1)
    send(listener.port, film())
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


def test_a_full_inbox_says_so(listening, film):
    listener = listening()
    listener.inbox.max_images = 0
    [status] = send(listener.port, film())
    assert status.Status == 0xA700
    assert "send it later" in status.ErrorComment


def test_an_object_beyond_the_bound_is_cut_off(listening, film, monkeypatch):
    monkeypatch.setattr(gate, "MAX_OBJECT", 4000)
    listener = listening()
    association = associate(listener.port)
    status = association.send_c_store(pydicom.dcmread(BytesIO(film())))
    assert "Status" not in status  # the connection was closed
    wait_for(lambda: not association.is_established)
    assert listener.received == 0
    wait_for(lambda: not listener._entity.active_associations)
    echo = associate(listener.port)
    assert echo.send_c_echo().Status == 0
    echo.release()


def test_the_bound_is_for_each_object(listening, film, monkeypatch):
    data = film()
    monkeypatch.setattr(gate, "MAX_OBJECT", len(data) + 4000)
    listener = listening()
    assert [status.Status for status in send(listener.port, data, data, data)] == [0, 0, 0]


def test_a_pdu_that_says_it_is_huge_is_not_read(listening):
    listener = listening()
    with socket.create_connection(("127.0.0.1", listener.port), 20) as raw:
        raw.sendall(struct.pack(">BBL", 1, 0, 0xFFFFFFF0) + b"x" * 1000)
        raw.settimeout(20)
        try:
            while raw.recv(4096):
                pass
        except ConnectionResetError:
            pass
    wait_for(lambda: not listener._entity.active_associations)


def test_who_connects_and_leaves_holds_no_place(listening):
    listener = listening()
    for _ in range(3):
        socket.create_connection(("127.0.0.1", listener.port), 20).close()
    wait_for(lambda: not listener._entity.active_associations)
    association = associate(listener.port)
    assert association.send_c_echo().Status == 0
    association.release()


def test_a_sender_that_falls_silent_is_cut_off(listening, monkeypatch):
    monkeypatch.setattr(gate, "PDU_SECONDS", 0.2)
    listener = listening()
    with socket.create_connection(("127.0.0.1", listener.port), 20) as raw:
        raw.sendall(struct.pack(">BBL", 1, 0, 500) + b"x")
        raw.settimeout(20)
        assert not raw.recv(4096)
    wait_for(lambda: not listener._entity.active_associations)


def test_too_many_connections_are_closed(listening, monkeypatch):
    from cxr.apply.dicom import listen

    monkeypatch.setattr(listen, "MAX_CONNECTIONS", 2)
    listener = listening()
    held = [socket.create_connection(("127.0.0.1", listener.port), 20) for _ in range(5)]
    wait_for(lambda: len(listener._entity.active_associations) == 2)
    for one in held[2:]:
        one.settimeout(20)
        assert not one.recv(10)
    for one in held:
        one.close()


def test_stopping_finishes_what_waits(predictor, film, tmp_path):
    settings = ListenSettings(port=0, out=tmp_path / "out")
    with Listener(predictor, settings) as listener:
        send(listener.port, *(film(SOPInstanceUID=f"1.2.{n}") for n in range(3)))
        listener.ask_to_stop()
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


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("PACS@10.0.0.5:104", Peer("PACS", "10.0.0.5", 104)),
        ("PACS@[::1]:104", Peer("PACS", "::1", 104)),
        ("sender:4242", Peer("", "", 4242)),
    ],
)
def test_peers(words, found):
    assert Peer.parse(words) == found
    assert Peer.parse("sender:7").answering("A", "b") == Peer("A", "b", 7)


@pytest.mark.parametrize(
    "words", ["PACS", "PACS@host", "host:104", "A@sender:1", "A@h:0", "A@h:70000", "@h:1"]
)
def test_no_peers(words):
    with pytest.raises(UsageError, match="is no DICOM peer"):
        Peer.parse(words)


def test_a_peer_that_refuses_is_not_asked_again(listening, monkeypatch):
    monkeypatch.setattr(peer, "WAITS", (30.0,))
    port = listening(allow=("OTHER",)).port
    image = pydicom.Dataset()
    image.SOPClassUID = pydicom.uid.UID(ComputedRadiographyImageStorage)
    with pytest.raises(StorageError, match="does it know the AE title CXR"):
        peer.send(Peer("CXR", "127.0.0.1", port), [image], "CXR")


def test_the_inbox_holds_so_many_bytes():
    inbox = Inbox(max_images=3, max_bytes=10)
    assert inbox.offer(Film(1, b"123456", "", "")) and not inbox.offer(Film(2, b"12345", "", ""))
    assert inbox.take().number == 1
    assert inbox.offer(Film(3, b"12345", "", ""))
    assert inbox.close(discard=True) == 1
    assert inbox.take() is None and not inbox.offer(Film(4, b"", "", ""))
