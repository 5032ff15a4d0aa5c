"""The HTTP service, asked over a real connection."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uvicorn
from fastapi import FastAPI

import cxr.apply.service as service
from cxr.apply import Predictor, load_learner, predict_files
from cxr.apply.service import Limits, is_loopback, listen, make_app, serve_model
from cxr.errors import UsageError

TOKEN = "correct-horse-battery"


class Reply:
    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status, self.headers, self.body = response.status, response.headers, response.read()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    def __init__(self, port: int) -> None:
        self.port = port

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: dict[str, str] | None = None,
        chunked: bool = False,
    ) -> Reply:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, headers or {}, encode_chunked=chunked)
            return Reply(connection.getresponse())
        finally:
            connection.close()

    def get(self, path: str) -> Reply:
        return self.ask("GET", path)

    def predict(self, body: Any, **headers: str) -> Reply:
        return self.ask(
            "POST", "/predict", body, {k.replace("_", "-"): v for k, v in headers.items()}
        )


@contextmanager
def serving(app: FastAPI) -> Iterator[Client]:
    with listen("127.0.0.1", 0) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", access_log=False))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield Client(listener.getsockname()[1])
        finally:
            server.should_exit = True
            thread.join(10)


@pytest.fixture
def predictor(tiny_model: Path) -> Predictor:
    return load_learner(tiny_model)


def test_answers_as_the_command_line_does(predictor: Predictor, films: list[Path]) -> None:
    rows = predict_files(predictor, films)
    with serving(make_app(predictor)) as client:
        replies = [client.predict(film.read_bytes()) for film in films]
    for film, row, reply in zip(films, rows, replies, strict=True):
        assert reply.status == 200, reply.body
        found = reply.json
        assert (found["prediction"], found["decision"]) == (row["prediction"], row["decision"])
        assert found["classes"] == ["NORMAL", "PNEUMONIA"] and found["research_use_only"] is True
        assert found["population"] == "not stated"
        logits = predictor.logits(predictor.pixels(film)[np.newaxis])
        for key, trusted in (("probabilities", False), ("calibrated", True)):
            expected = predictor.probabilities(logits, calibrated=trusted)[0].tolist()
            assert list(found[key].values()) == pytest.approx(expected, abs=1e-6)


def test_several_labels_and_odd_names(write_model: Callable[..., Path], films: list[Path]) -> None:
    model = write_model(classes=("Ödem", "<b>", "C"), multi_label=True)
    with serving(make_app(load_learner(model))) as client:
        found = client.predict(films[0].read_bytes()).json
        page = client.get("/").body.decode()
    assert list(found["calibrated"]) == ["Ödem", "<b>", "C"]
    assert "&lt;b&gt;" in page and "<b>" not in page


@pytest.mark.parametrize("body", [b"", b"not an image", b"\xff\xd8\xff damaged"])
def test_what_is_no_image_is_told_why(predictor: Predictor, body: bytes) -> None:
    with serving(make_app(predictor)) as client:
        reply = client.predict(body)
    assert reply.status == 422 and reply.json["detail"]
    assert reply.headers["Cache-Control"] == "no-store"


def test_a_form_is_told_to_send_the_file(predictor: Predictor) -> None:
    with serving(make_app(predictor)) as client:
        reply = client.predict(b"--x", Content_Type="multipart/form-data; boundary=x")
    assert reply.status == 415 and "--data-binary" in reply.json["detail"]


def test_too_large_is_refused_declared_or_not(predictor: Predictor) -> None:
    with serving(make_app(predictor, limits=Limits(body_bytes=1000))) as client:
        declared = client.predict(b"x" * 1001)
        streamed = client.ask(
            "POST",
            "/predict",
            (b"x" * 100 for _ in range(11)),
            {"Transfer-Encoding": "chunked"},
            True,
        )
        within = client.predict(b"x" * 1000)
    assert declared.status == streamed.status == 413
    assert "1,000 bytes" in declared.json["detail"]
    assert within.status == 422


def test_too_slow_is_refused(predictor: Predictor) -> None:
    with (
        serving(make_app(predictor, limits=Limits(body_seconds=0.05))) as client,
        socket.create_connection(("127.0.0.1", client.port), timeout=10) as connection,
    ):
        connection.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc")
        assert connection.recv(100).startswith(b"HTTP/1.1 408")


def test_the_token_is_asked_for_predictions_only(predictor: Predictor, films: list[Path]) -> None:
    image = films[0].read_bytes()
    with serving(make_app(predictor, TOKEN)) as client:
        for wrong in ("", TOKEN, f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", "Bearer é", "Bearer "):
            reply = client.predict(image, **({"Authorization": wrong} if wrong else {}))
            assert reply.status == 401 and reply.headers["WWW-Authenticate"] == "Bearer"
            assert TOKEN not in reply.body.decode()
        assert client.predict(image, Authorization=f"Bearer {TOKEN}").status == 200
        assert client.get("/v2/health/ready").status == 200
        assert TOKEN not in client.get("/").body.decode()


def test_health(predictor: Predictor) -> None:
    with serving(make_app(predictor)) as client:
        assert client.get("/v2/health/live").json == {"live": True}
        assert client.get("/v2/health/ready").json == {"ready": True}
        assert client.get("/docs").status == 404, "these pages would load scripts from elsewhere"


def test_a_full_queue_sends_away_and_recovers(
    predictor: Predictor, films: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    image, started, release = films[0].read_bytes(), threading.Event(), threading.Event()

    def slow(self: Predictor, item: bytes) -> np.ndarray:
        started.set()
        release.wait(20)
        return np.zeros((64, 64), np.uint8)

    monkeypatch.setattr(Predictor, "pixels", slow)
    first: list[Reply] = []
    with serving(make_app(predictor, limits=Limits(pending=1))) as client:
        asking = threading.Thread(target=lambda: first.append(client.predict(image)))
        asking.start()
        assert started.wait(20)
        turned_away, live = client.predict(image), client.get("/v2/health/live")
        release.set()
        asking.join(20)
        later = client.predict(image)
    assert turned_away.status == 429 and turned_away.headers["Retry-After"] == "1"
    assert live.status == first[0].status == later.status == 200


def test_whoever_hangs_up_frees_the_place(predictor: Predictor, films: list[Path]) -> None:
    with serving(make_app(predictor, limits=Limits(pending=1))) as client:
        for _ in range(3):
            with socket.create_connection(("127.0.0.1", client.port), timeout=10) as connection:
                connection.sendall(
                    b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\na"
                )
        deadline = time.monotonic() + 10
        while (status := client.predict(films[0].read_bytes()).status) == 429:
            assert time.monotonic() < deadline
    assert status == 200


def test_the_page_needs_nothing_from_elsewhere(predictor: Predictor) -> None:
    with serving(make_app(predictor)) as client:
        page, again = client.get("/"), client.get("/")
    html = page.body.decode()
    assert "Research tool" in html and "NORMAL, PNEUMONIA" in html
    assert "//" not in html.replace("<!", ""), "an address of another place"
    policy = page.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'") and "unsafe" not in policy
    assert policy != again.headers["Content-Security-Policy"]
    assert html.count(policy.split("'nonce-")[1].split("'")[0]) == 2


def test_nothing_sent_is_logged(
    predictor: Predictor, films: list[Path], capfd: pytest.CaptureFixture
) -> None:
    with serving(make_app(predictor)) as client:
        client.predict(films[0].read_bytes())
        client.predict(b"Doe^Jane")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.2", "::", "example", ""])
def test_other_machines_need_a_token(tiny_model: Path, host: str) -> None:
    assert not is_loopback(host)
    with pytest.raises(UsageError, match="--token-file"):
        serve_model(tiny_model, host, 0)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_this_machine_needs_none(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("content", [b"short", b"", b"two words, long enough", "é".encode() * 20])
def test_a_poor_token_is_refused_unseen(tiny_model: Path, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "token"
    file.write_bytes(content)
    with pytest.raises(UsageError, match="token") as caught:
        serve_model(tiny_model, "0.0.0.0", 0, file)
    assert not content or content.decode() not in str(caught.value)
    with pytest.raises(UsageError, match="no token could be read"):
        serve_model(tiny_model, "0.0.0.0", 0, tmp_path / "none")


def test_a_taken_port_is_a_usage_error(tiny_model: Path) -> None:
    with listen("127.0.0.1", 0) as other:
        port = other.getsockname()[1]
        with pytest.raises(UsageError, match=f"port {port} .*choose another"):
            serve_model(tiny_model, "127.0.0.1", port)
    with pytest.raises(UsageError, match="port 99999"):
        serve_model(tiny_model, "127.0.0.1", 99999)


def test_serves_quietly_with_the_token_of_the_file(
    tiny_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    (tmp_path / "token").write_text(TOKEN + "\n")
    seen: dict[str, Any] = {}

    def run(self: uvicorn.Server, sockets: list[socket.socket]) -> None:
        seen.update(config=self.config, address=sockets[0].getsockname())

    monkeypatch.setattr(uvicorn.Server, "run", run)
    monkeypatch.setattr(service, "make_app", lambda predictor, token: seen.update(token=token))
    serve_model(tiny_model, "0.0.0.0", 0, tmp_path / "token")
    assert seen["token"] == TOKEN and not seen["config"].access_log
    said = capsys.readouterr().err
    assert f"http://0.0.0.0:{seen['address'][1]}/" in said and "not encrypted" in said
    assert TOKEN not in said
