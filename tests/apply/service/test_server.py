"""`serve_model`, and the life of a real server process."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from cxr.apply.service import ServerSettings, listen, serve_model
from cxr.bundle.read import open_bundle
from cxr.bundle.write import rewrite
from cxr.errors import UnknownName, UsageError

TOKEN = secrets.token_urlsafe()
posix = pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's")


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.2", "::", "example", ""])
def test_other_machines_need_a_token(model_file: Path, host: str) -> None:
    with pytest.raises(UsageError, match="--token-file"):
        serve_model(model_file, ServerSettings(host, 0))


@pytest.mark.parametrize("content", [b"short", b"", b"two words, long enough", "é".encode() * 20])
def test_a_poor_token_is_refused_unseen(model_file: Path, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "token"
    file.write_bytes(content)
    with pytest.raises(UsageError, match="token") as caught:
        serve_model(model_file, ServerSettings("0.0.0.0", 0, file))
    assert not content or content.decode() not in str(caught.value)
    with pytest.raises(UsageError, match="no token could be read"):
        serve_model(model_file, ServerSettings("0.0.0.0", 0, tmp_path / "none"))


def test_a_taken_port_is_a_usage_error(model_file: Path) -> None:
    with listen("127.0.0.1", 0) as other:
        port = other.getsockname()[1]
        with pytest.raises(UsageError, match=f"port {port} .*choose another"):
            serve_model(model_file, ServerSettings("127.0.0.1", port))
    with pytest.raises(UsageError, match="port 99999"):
        serve_model(model_file, ServerSettings("127.0.0.1", 99999))


def test_an_unknown_log_level(model_file: Path) -> None:
    with pytest.raises(UnknownName, match="warning"):
        serve_model(model_file, ServerSettings(log_level="warn"))


def test_serves_with_the_token_of_the_file(
    model_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    (tmp_path / "token").write_text(TOKEN + "\n")
    seen: dict[str, Any] = {}

    def run(self: Any, sockets: list[socket.socket]) -> None:
        seen.update(service=self.service, address=sockets[0].getsockname())

    monkeypatch.setattr(uvicorn.Server, "run", run)
    settings = ServerSettings("0.0.0.0", 0, tmp_path / "token", "chest", "torch")
    serve_model(model_file, settings)
    service = seen["service"]
    assert service.access._expected == f"Bearer {TOKEN}".encode() and service.live.name == "chest"
    said = capsys.readouterr().err
    assert f"http://0.0.0.0:{seen['address'][1]}/" in said and "not encrypted" in said
    assert TOKEN not in said


SERVE = """
import sys
from cxr.apply.service import Limits, ServerSettings, serve_model
limits = Limits(workers=1, watch_seconds=0.05, body_seconds=5, drain_seconds=5)
serve_model(sys.argv[1], ServerSettings(port=int(sys.argv[2]), runtime="onnx", limits=limits))
"""


class Process:
    """A server and what it has written, line by line."""

    def __init__(self, model: Path) -> None:
        with listen("127.0.0.1", 0) as free:
            self.port = free.getsockname()[1]
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVE, str(model), str(self.port)],
            stderr=subprocess.PIPE,
            text=True,
        )
        self.lines: list[str] = []
        self.reading = threading.Thread(target=self._read)
        self.reading.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        self.lines.extend(iter(self.process.stderr.readline, ""))

    def events(self, event: str) -> list[dict[str, Any]]:
        found = [json.loads(line) for line in self.lines if line.startswith("{")]
        return [one for one in found if one["event"] == event]

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    def ask(self, request: bytes) -> bytes:
        with self.connect() as connection:
            connection.sendall(request)
            return everything(connection)


def everything(connection: socket.socket) -> bytes:
    found = b""
    while chunk := connection.recv(1 << 16):
        found += chunk
    return found


def predict(image: bytes) -> bytes:
    head = f"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(image)}\r\n"
    return head.encode() + b"Connection: close\r\n\r\n" + image


def until(said: Callable[[], Any]) -> Any:
    end = time.monotonic() + 60
    while not (found := said()):
        assert time.monotonic() < end
        time.sleep(0.02)
    return found


@contextmanager
def a_server(model: Path) -> Iterator[Process]:
    server = Process(model)

    def up() -> bool:
        assert server.process.poll() is None, server.lines
        try:
            server.connect().close()
        except OSError:
            return False
        return True

    try:
        until(up)
        yield server
    finally:
        server.process.kill()
        server.process.wait()
        server.reading.join()
        assert server.process.stderr is not None
        server.process.stderr.close()


@posix
def test_it_finishes_what_is_in_flight_and_exits_well(onnx_file: Path, films: list[Path]) -> None:
    request = predict(films[0].read_bytes())
    with a_server(onnx_file) as server, server.connect() as busy, server.connect() as idle:
        busy.sendall(request[:-10])
        until(lambda: server.ask(predict(films[0].read_bytes())).startswith(b"HTTP/1.1 200"))
        server.process.send_signal(signal.SIGTERM)

        def closed() -> bool:
            try:
                server.connect().close()
            except ConnectionRefusedError:
                return True
            return False

        until(closed)
        assert everything(idle) == b""
        busy.sendall(request[-10:])
        assert everything(busy).startswith(b"HTTP/1.1 200")
        assert server.process.wait(30) == 0
        assert len(server.events("request")) == 2
        assert not server.events("failure") and not server.events("server")


@posix
def test_a_new_model_takes_over_and_a_broken_one_does_not(
    onnx_file: Path, films: list[Path], tmp_path: Path
) -> None:
    model = tmp_path / "model.cxr"
    shutil.copy(onnx_file, model)
    config = json.loads(open_bundle(onnx_file).members["config.json"])
    others = json.dumps({**config, "population": "others"}).encode()
    second = rewrite(onnx_file, tmp_path / "second.cxr", add={"config.json": others})
    image = predict(films[0].read_bytes())

    def population(server: Process) -> str:
        return json.loads(server.ask(image).partition(b"\r\n\r\n")[2])["population"]

    with a_server(model) as server:
        assert population(server) == "not stated"
        broken = tmp_path / "broken"
        broken.write_bytes(second.read_bytes()[:-100])
        broken.replace(model)
        until(lambda: server.events("model refused"))
        assert population(server) == "not stated"
        second.replace(model)
        until(lambda: server.events("model taken"))
        assert population(server) == "others"
        server.process.send_signal(signal.SIGHUP)
        assert population(server) == "others"
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(30) == 0
