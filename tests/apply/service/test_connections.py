"""Connections that mean no good."""

from __future__ import annotations

import socket
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cxr.apply.predictor import Predictor
from cxr.apply.service import Limits, make_app

HEAD = b"POST /predict HTTP/1.1\r\nHost: localhost\r\n"
SHORT = Limits(head_seconds=0.3, body_seconds=0.3, idle_seconds=0.3, head=2000, connections=4)


def reply(connection: socket.socket) -> bytes:
    """All that comes until the server hangs up."""
    found = b""
    try:
        while chunk := connection.recv(1 << 16):
            found += chunk
    except ConnectionResetError:
        pass
    return found


@pytest.mark.parametrize("sent", [b"", b"\r\n", b"POST /pre", HEAD, HEAD + b"X: "])
def test_a_head_that_does_not_end(predictor: Predictor, serving: Any, sent: bytes) -> None:
    with serving(make_app(predictor, limits=SHORT)) as client, client.connect() as connection:
        connection.sendall(sent)
        assert reply(connection).startswith(b"HTTP/1.1 408")


def test_a_head_that_comes_by_drops(predictor: Predictor, serving: Any) -> None:
    with serving(make_app(predictor, limits=SHORT)) as client, client.connect() as connection:
        connection.settimeout(0.02)
        found, until = b"", time.monotonic() + 10
        while not found and time.monotonic() < until:
            connection.sendall(b"P")
            try:
                found = connection.recv(100)
            except TimeoutError:
                continue
        assert found.startswith((b"HTTP/1.1 408", b"HTTP/1.1 400"))


def test_a_head_without_bound(predictor: Predictor, serving: Any) -> None:
    limits = replace(SHORT, head_seconds=20)
    with serving(make_app(predictor, limits=limits)) as client, client.connect() as connection:
        connection.sendall(HEAD)
        for n in range(40):
            try:
                connection.sendall(b"X-%d: %s\r\n" % (n, b"a" * 100))
            except OSError:
                break
            time.sleep(0.002)
        assert reply(connection).startswith(b"HTTP/1.1 431")


def test_a_body_that_does_not_end(predictor: Predictor, serving: Any) -> None:
    with serving(make_app(predictor, limits=SHORT)) as client, client.connect() as connection:
        connection.sendall(HEAD + b"Content-Length: 10\r\n\r\nabc")
        assert reply(connection).startswith(b"HTTP/1.1 408")


def test_the_rest_of_a_refused_body_may_not_drip_for_ever(
    predictor: Predictor, serving: Any
) -> None:
    app = make_app(predictor, limits=replace(SHORT, pending=0))
    with serving(app) as client, client.connect() as connection:
        connection.sendall(HEAD + b"Content-Length: 1000000\r\n\r\nabc")
        assert connection.recv(12) == b"HTTP/1.1 429"
        until = time.monotonic() + 10
        while time.monotonic() < until:
            time.sleep(0.02)
            try:
                connection.sendall(b"d")
            except OSError:
                break
        assert time.monotonic() < until


def test_refused_and_well_again_on_one_connection(
    predictor: Predictor, films: list[Path], serving: Any
) -> None:
    image = films[0].read_bytes()
    app = make_app(predictor)
    length = b"Content-Length: %d\r\n\r\n" % len(image)
    with serving(app) as client, client.connect() as connection:
        for status in (b"429", b"200", b"200"):
            app.workers.pending += 64 if status == b"429" else 0
            connection.sendall(HEAD + length + image)
            found = b""
            while not found.endswith(b"}"):
                found += connection.recv(1 << 16)
            assert found.startswith(b"HTTP/1.1 " + status)
            app.workers.pending -= 64 if status == b"429" else 0


def test_too_many_connections(predictor: Predictor, serving: Any) -> None:
    limits = replace(SHORT, head_seconds=5)
    with serving(make_app(predictor, limits=limits)) as client:
        held = [client.connect() for _ in range(4)]
        for one in held:
            one.sendall(b"GET /v2/health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert one.recv(12) == b"HTTP/1.1 200"
        with client.connect() as more:
            said = reply(more)
            assert said.startswith(b"HTTP/1.1 429") and b"retry-after: 1" in said
        for one in held:
            one.close()
        until = time.monotonic() + 10
        while client("GET", "/v2/health/live").status != 200:
            assert time.monotonic() < until


def test_whoever_hangs_up_frees_the_place(
    predictor: Predictor, films: list[Path], serving: Any
) -> None:
    app = make_app(predictor, limits=Limits(pending=1))
    with serving(app) as client:
        for _ in range(3):
            with client.connect() as connection:
                connection.sendall(HEAD + b"Content-Length: 9\r\n\r\na")
        until = time.monotonic() + 10
        while client("POST", "/predict", films[0].read_bytes()).status == 429:
            assert time.monotonic() < until
        while app.memory.used:
            assert time.monotonic() < until


def test_what_is_not_http(predictor: Predictor, serving: Any) -> None:
    with serving(make_app(predictor)) as client:
        for sent in (b"\x16\x03\x01\x02\x00\x01", b"GET / HTTP/9.9\r\n\r\n", b"\0" * 100):
            with client.connect() as connection:
                connection.sendall(sent)
                assert reply(connection).startswith(b"HTTP/1.1 400")
        assert client("GET", "/v2/health/live").status == 200
