"""The service asked without a socket, and over one; on one tiny model."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from cxr.apply.onnx import export_onnx
from cxr.apply.predictor import Predictor, load_predictor
from cxr.apply.service import Server, Service, listen, make_app
from cxr.backbones import Architecture, build_network
from cxr.bundle import BundleConfig, write_bundle

SIZE = 64
HERE = {b"host": b"localhost"}
BOUNDARY = "line-between-parts"


@pytest.fixture(scope="session")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes, 64 pixels."""
    network, source = build_network(Architecture("test_efficientnet", 2, SIZE), None, seed=1)
    config = BundleConfig(
        classes=("NORMAL", "PNEUMONIA"),
        backbone="test_efficientnet",
        size=SIZE,
        positive="PNEUMONIA",
        temperature=1.7,
        threshold=0.4,
        weights_source=source,
    )
    return write_bundle(tmp_path_factory.mktemp("model") / "tiny.cxr", network, config)


@pytest.fixture(scope="session")
def onnx_file(model_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with its network as ONNX, which a server reads without torch."""
    out = tmp_path_factory.mktemp("onnx") / "tiny.cxr"
    export_onnx(model_file, out)
    return out


@pytest.fixture(scope="session")
def predictor(onnx_file: Path) -> Predictor:
    return load_predictor(onnx_file, "onnx", threads=1)


@pytest.fixture
def app(predictor: Predictor) -> Service:
    return make_app(predictor)


class Answer:
    """`headers` with names in lower case."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Requester:
    """Calls an application as a server does, one event loop for all its requests."""

    def __init__(self, app: Service, runner: asyncio.Runner) -> None:
        self.app, self.runner = app, runner

    def __call__(
        self, method: str, path: str, body: bytes | Sequence[bytes] = b"", **headers: str
    ) -> Answer:
        return self.runner.run(self.once(method, path, body, **headers))

    def post(self, path: str, body: bytes | Sequence[bytes], **headers: str) -> Answer:
        return self("POST", path, body, **headers)

    def get(self, path: str, **headers: str) -> Answer:
        return self("GET", path, **headers)

    def many(self, asked: Sequence[tuple[str, str, bytes]]) -> list[Answer]:
        async def all_of_them() -> list[Answer]:
            return await asyncio.gather(*(self.once(*one) for one in asked))

        return self.runner.run(all_of_them())

    async def once(
        self, method: str, path: str, body: bytes | Sequence[bytes] = b"", **headers: str
    ) -> Answer:
        given = {name.replace("_", "-").encode(): v.encode() for name, v in headers.items()}
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "headers": [*{**HERE, **given}.items()],
            "client": ("127.0.0.1", 5),
        }
        chunks = [body] if isinstance(body, bytes) else list(body)
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            if not chunks:
                return {"type": "http.disconnect"}
            return {"type": "http.request", "body": chunks.pop(0), "more_body": bool(chunks)}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        await self.app(scope, receive, send)
        start, end = sent
        found = {name.decode(): value.decode("latin-1") for name, value in start["headers"]}
        return Answer(start["status"], found, end["body"])


@pytest.fixture
def asking() -> Callable[[Service], AbstractContextManager[Requester]]:
    """`with asking(app) as ask: ask("GET", "/model")`."""

    @contextmanager
    def opened(app: Service) -> Iterator[Requester]:
        app.workers.open()
        with asyncio.Runner() as runner:
            yield Requester(app, runner)
        app.workers.close()

    return opened


@pytest.fixture
def ask(
    app: Service, asking: Callable[..., AbstractContextManager[Requester]]
) -> Iterator[Requester]:
    with asking(app) as ask:
        yield ask


def form(*files: tuple[str, bytes], field: str = "file") -> tuple[bytes, str]:
    """(body, content type)."""
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{field}"; filename="{name}"\r\n'
        f"Content-Type: application/octet-stream\r\n\r\n".encode()
        + data
        + b"\r\n"
        for name, data in files
    ]
    body = b"".join([*parts, f"--{BOUNDARY}--\r\n".encode()])
    return body, f"multipart/form-data; boundary={BOUNDARY}"


@pytest.fixture(name="form")
def form_fixture() -> Callable[..., tuple[bytes, str]]:
    return form


class Client:
    """A real connection for each request."""

    def __init__(self, port: int) -> None:
        self.port = port

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            given = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, given)
            reply = connection.getresponse()
            found = {name.lower(): value for name, value in reply.getheaders()}
            return Answer(reply.status, found, reply.read())
        finally:
            connection.close()

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)


@pytest.fixture
def serving() -> Callable[[Service], AbstractContextManager[Client]]:
    """`with serving(app) as client: client("GET", "/model")`."""

    @contextmanager
    def serve(app: Service) -> Iterator[Client]:
        with listen("127.0.0.1", 0) as listener:
            server = Server(app)
            thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
            thread.start()
            try:
                yield Client(listener.getsockname()[1])
            finally:
                server.should_exit = True
                thread.join(20)

    return serve
