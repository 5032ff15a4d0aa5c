"""Every request: its route, its reply, and what is written down."""

from __future__ import annotations

import asyncio
import io
import json
from pathlib import Path
from typing import Any

import pytest

from cxr.apply.predictor import Predictor
from cxr.apply.service import EventLog, Service, make_app
from helpers.service_routes import GUARDED, OPEN


def test_all_routes_are_tested_here(app: Service) -> None:
    own = {path for path in app.routes if not path.startswith("/static/")}
    assert own == {path for _, path in GUARDED} | set(OPEN)
    assert all(route.guarded == (("POST", p) in GUARDED or ("GET", p) in GUARDED)
               for p, route in app.routes.items())  # fmt: skip


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
    gone = ask.post("/film", b"x")
    assert gone.status == 410 and "/film is now /image" in gone.json["detail"]
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
    def fail(self: Predictor, pixels: Any, frames: Any) -> None:
        raise KeyError("Doe^Jane")

    monkeypatch.setattr(Predictor, "predictions", fail)
    said = io.StringIO()
    with asking(make_app(predictor, log=EventLog("error", said))) as ask:
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
    with asking(make_app(predictor, log=EventLog("info", said))) as ask:
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


def test_bytes_in_memory_are_given_back(ask: Any, app: Service, films: list[Path]) -> None:
    ask.post("/predict", films[0].read_bytes())
    ask.post("/predict", b"no image")
    ask.post("/explain", [b"1", b"2"])
    assert app.memory.used == 0 and app.workers.pending == 0 and app.workers.in_background == 0


def test_a_client_that_is_gone_is_no_failure(predictor: Predictor) -> None:
    said = io.StringIO()
    app = make_app(predictor, log=EventLog("info", said))
    scope = {"type": "http", "method": "GET", "path": "/v2", "headers": [(b"host", b"localhost")]}

    async def gone(message: object = None) -> dict[str, str]:
        raise RuntimeError("the transport is closed")

    asyncio.run(app(scope, gone, gone))
    events = [json.loads(line) for line in said.getvalue().splitlines()]
    assert [(one["level"], one["event"]) for one in events] == [
        ("info", "request"),
        ("info", "client gone"),
    ]
