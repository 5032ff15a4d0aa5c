"""Every request: who may ask what, what is counted and what is written down."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import secrets
from pathlib import Path
from typing import Any

import pytest

from cxr.apply.predictor import Predictor
from cxr.apply.service import Log, Service, make_app
from cxr.apply.service.log import GONE, Bridge

TOKEN = secrets.token_urlsafe()
GUARDED = [
    ("POST", "/predict"),
    ("POST", "/explain"),
    ("POST", "/image"),
    ("GET", "/model"),
    ("GET", "/metrics"),
    ("GET", "/v2/models/tiny"),
    ("POST", "/v2/models/tiny/infer"),
]
OPEN = [
    *("/", "/docs", "/docs/docs.js", "/docs/docs.css", "/openapi.json"),
    *("/v2", "/v2/health/live", "/v2/health/ready", "/v2/models/tiny/ready"),
]


def test_all_routes_are_tested_here(app: Service) -> None:
    own = {path for path in app.routes if not path.startswith("/static/")}
    assert own == {path for _, path in GUARDED} | set(OPEN)
    assert all(route.guarded == (("POST", p) in GUARDED or ("GET", p) in GUARDED)
               for p, route in app.routes.items())  # fmt: skip


def test_the_token_guards_all_that_is_about_the_model(
    predictor: Predictor, films: list[Path], asking: Any
) -> None:
    image = films[0].read_bytes()
    with asking(make_app(predictor, TOKEN)) as ask:
        wrong = ("", TOKEN, f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", "Bearer é", "Bearer ")
        for (method, path), given in ((one, two) for one in GUARDED for two in wrong):
            found = ask(method, path, image, **({"authorization": given} if given else {}))
            assert found.status == 401 and found.headers["www-authenticate"] == "Bearer"
            assert TOKEN not in found.body.decode()
        assert ask.post("/predict", image, authorization=f"Bearer {TOKEN}").status == 200
        for path in OPEN:
            found = ask.get(path, host="elsewhere.example")
            assert found.status == 200 and TOKEN not in found.body.decode()


@pytest.mark.parametrize("path", ["/", "/predict", "/model", "/nowhere"])
def test_without_a_token_only_this_machine_is_answered(ask: Any, path: str) -> None:
    for host in (
        "evil.example",
        "evil.example:8000",
        "localhost.evil.example",
        "[::1",
        "",
        "10.0.0.1",
    ):
        assert ask.get(path, host=host).status == 403, host
    for host in ("localhost", "LOCALHOST:8000", "127.0.0.1:8000", "127.9.9.9", "[::1]:8000"):
        assert ask.get(path, host=host).status != 403, host
    for origin in ("http://evil.example", "null", "http://localhost:9000", "localhost:8000"):
        assert ask.get(path, host="localhost:8000", origin=origin).status == 403, origin
    assert ask.get(path, host="localhost:8000", origin="http://localhost:8000").status != 403


def test_more_names_can_be_allowed(predictor: Predictor, asking: Any) -> None:
    with asking(make_app(predictor, hosts=["cxr.example"])) as ask:
        assert ask.get("/model", host="cxr.example:80").status == 200
        assert ask.get("/model", host="other.example").status == 403


def test_nobody_elsewhere_may_read(ask: Any) -> None:
    for found in (ask.get("/model"), ask.get("/nowhere"), ask.get("/")):
        assert not any(name.startswith("access-control") for name in found.headers)
        assert found.headers["cross-origin-resource-policy"] == "same-origin"
        assert found.headers["x-content-type-options"] == "nosniff"
        assert found.headers["cache-control"] == "no-store"


def test_pages_need_nothing_from_elsewhere(ask: Any, app: Service) -> None:
    for path in ("/", "/docs"):
        policy = ask.get(path).headers["content-security-policy"]
        assert policy.startswith("default-src 'none'") and "unsafe" not in policy
    for path in ("/docs", "/docs/docs.js", "/docs/docs.css"):
        text = ask.get(path).body.decode()
        assert "http:" not in text and "https:" not in text and 'src="//' not in text


def test_unknown_places_and_methods(ask: Any) -> None:
    assert ask.get("/nowhere").status == 404
    assert ask.get("/predict/").status == 404
    wrong = ask.get("/predict")
    assert wrong.status == 405 and wrong.headers["allow"] == "POST"
    wrong = ask("DELETE", "/model")
    assert wrong.status == 405 and wrong.headers["allow"] == "GET, HEAD"
    head = ask("HEAD", "/model")
    assert head.status == 200 and head.body == b"" and int(head.headers["content-length"]) > 100


def test_stopping_refuses_work_and_is_not_ready(ask: Any, app: Service) -> None:
    assert ask.get("/v2/health/ready").json == {"ready": True}
    app.stopping = True
    assert ask.get("/v2/health/live").status == 200
    ready = ask.get("/v2/health/ready")
    assert ready.status == 503 and ready.json == {"ready": False}
    refused = ask.post("/predict", b"x")
    assert refused.status == 503 and refused.headers["retry-after"] == "1"


def test_our_own_failure_is_told_without_its_words(
    predictor: Predictor, films: list[Path], asking: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Predictor, pixels: Any) -> None:
        raise KeyError("Doe^Jane")

    monkeypatch.setattr(Predictor, "predictions", fail)
    said = io.StringIO()
    with asking(make_app(predictor, log=Log("error", said))) as ask:
        found = ask.post("/predict", films[0].read_bytes())
    assert found.status == 500 and found.json == {"detail": "failed"}
    lines = [json.loads(line) for line in said.getvalue().splitlines()]
    assert [line["event"] for line in lines] == ["failure", "request"]
    assert lines[0]["error"] == "KeyError" and any("fail" in one for one in lines[0]["where"])
    assert "Doe" not in said.getvalue()


def test_one_line_for_each_request_and_nothing_of_what_was_sent(
    predictor: Predictor, films: list[Path], asking: Any, form: Any
) -> None:
    said = io.StringIO()
    body, kind = form(("Doe^Jane.dcm", films[0].read_bytes()), ("b", b"Doe^Jane"))
    with asking(make_app(predictor, log=Log("info", said))) as ask:
        answered = ask.post("/predict", body, content_type=kind, user_agent="Doe^Jane")
        ask.get("/Doe^Jane")
        ask("DOE^JANE", "/predict", b"Doe^Jane")
    assert "Doe" not in said.getvalue() and "DOE" not in said.getvalue()
    first, second, third = (json.loads(line) for line in said.getvalue().splitlines())
    assert first["route"] == "/predict" and first["status"] == 200 and first["images"] == 2
    assert first["received"] == len(body) and first["sent"] == len(answered.body)
    assert first["batch"] == 1 and first["client"] == "loopback" and first["ms"] > 0
    assert first["id"] == answered.headers["x-request-id"]
    assert (second["route"], second["status"]) == ("other", 404)
    assert (third["method"], third["status"]) == ("other", 405)


def test_what_is_counted(ask: Any, films: list[Path]) -> None:
    for _ in range(3):
        ask.post("/predict", films[0].read_bytes())
    ask.post("/predict", b"no image")
    ask.get("/anything")
    found = ask.get("/metrics")
    assert found.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    lines = found.body.decode().splitlines()
    assert 'cxr_requests_total{route="/predict",method="POST",status="200"} 3' in lines
    assert 'cxr_requests_total{route="/predict",method="POST",status="422"} 1' in lines
    assert 'cxr_requests_total{route="other",method="GET",status="404"} 1' in lines
    assert 'cxr_request_seconds_count{route="/predict"} 4' in lines
    assert 'cxr_batch_images_bucket{le="1"} 3' in lines
    assert "cxr_unreadable_total 1" in lines and "cxr_pending_images 0" in lines
    assert sum(line.startswith("cxr_decisions_total{") for line in lines) == 1


def test_bytes_in_memory_are_given_back(ask: Any, app: Service, films: list[Path]) -> None:
    ask.post("/predict", films[0].read_bytes())
    ask.post("/predict", b"no image")
    ask.post("/explain", [b"1", b"2"])
    assert app.memory.used == 0 and app.desk.pending == 0 and app.desk.asides == 0


def test_a_client_that_is_gone_is_no_failure(predictor: Predictor) -> None:
    said = io.StringIO()
    app = make_app(predictor, log=Log("info", said))
    scope = {"type": "http", "method": "GET", "path": "/v2", "headers": [(b"host", b"localhost")]}

    async def gone(message: object = None) -> dict[str, str]:
        raise RuntimeError("the transport is closed")

    asyncio.run(app(scope, gone, gone))
    events = [json.loads(line) for line in said.getvalue().splitlines()]
    assert [(one["level"], one["event"]) for one in events] == [
        ("info", "request"),
        ("info", "client gone"),
    ]


def test_the_http_server_speaks_through_our_log() -> None:
    said = io.StringIO()
    bridge = Bridge(Log("info", said))
    for text in (GONE, "something else"):
        bridge.handle(logging.LogRecord("uvicorn.error", logging.ERROR, "", 0, text, None, None))
    (line,) = (json.loads(line) for line in said.getvalue().splitlines())
    assert (line["level"], line["said"]) == ("error", "something else")
