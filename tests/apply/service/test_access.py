"""Who may use the service: tokens, host names and origins."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

import pytest

from cxr.apply.predictor import Predictor
from cxr.apply.service import make_app
from helpers.service_routes import GUARDED, OPEN

TOKEN = secrets.token_urlsafe()


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
