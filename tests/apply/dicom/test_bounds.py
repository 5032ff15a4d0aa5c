"""Senders who are hostile, silent or gone, and a queue that is full."""

from __future__ import annotations

import socket
import struct
from io import BytesIO

import pydicom

from cxr.apply.dicom import bounds
from cxr.apply.dicom.bounds import ImageQueue, ReceivedImage
from helpers.dicom_network import associate, send, wait_for


def test_an_object_beyond_the_bound_is_cut_off(listening, make_image, monkeypatch):
    monkeypatch.setattr(bounds, "MAX_OBJECT", 4000)
    listener = listening()
    association = associate(listener.port)
    status = association.send_c_store(pydicom.dcmread(BytesIO(make_image())))
    assert "Status" not in status  # the connection was closed
    wait_for(lambda: not association.is_established)
    assert listener.received == 0
    wait_for(lambda: not listener._entity.active_associations)
    echo = associate(listener.port)
    assert echo.send_c_echo().Status == 0
    echo.release()


def test_the_bound_is_for_each_object(listening, make_image, monkeypatch):
    data = make_image()
    monkeypatch.setattr(bounds, "MAX_OBJECT", len(data) + 4000)
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
    monkeypatch.setattr(bounds, "PDU_SECONDS", 0.2)
    listener = listening()
    with socket.create_connection(("127.0.0.1", listener.port), 20) as raw:
        raw.sendall(struct.pack(">BBL", 1, 0, 500) + b"x")
        raw.settimeout(20)
        assert not raw.recv(4096)
    wait_for(lambda: not listener._entity.active_associations)


def test_the_queue_holds_so_many_bytes():
    queue = ImageQueue(max_images=3, max_bytes=10)
    assert queue.offer(ReceivedImage(1, b"123456", "", "")) and not queue.offer(
        ReceivedImage(2, b"12345", "", "")
    )
    assert queue.take().number == 1
    assert queue.offer(ReceivedImage(3, b"12345", "", ""))
    assert queue.close(discard=True) == 1
    assert queue.take() is None and not queue.offer(ReceivedImage(4, b"", "", ""))
