"""`cxr serve`: options in. The service is tested with `cxr.apply.service`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cxr.apply.service import ServerSettings

Call = Callable[..., Any]


def test_options(cxr: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []
    monkeypatch.setattr("cxr.apply.service.serve_model", lambda *values: calls.append(values))
    assert cxr("serve", "model.cxr").code == 0
    cxr("serve", "model.cxr", "--host", "10.0.0.5", "--port", "81", "--token-file", "token")
    several = ("--name", "chest", "--runtime", "onnx", "--log-level", "off", "--trusted-key", "k")
    cxr("serve", "model.cxr", "--allow-host", "a.example", "--allow-host", "b.example", *several)
    named = {"name": "chest", "runtime": "onnx", "log_level": "off", "trusted_key": Path("k")}
    assert calls == [
        (Path("model.cxr"), ServerSettings("127.0.0.1", 8000, None)),
        (Path("model.cxr"), ServerSettings("10.0.0.5", 81, Path("token"))),
        (Path("model.cxr"), ServerSettings(**named, allow_hosts=("a.example", "b.example"))),
    ]


def test_what_is_refused(trained: tuple[Path, Any], cxr: Call) -> None:
    model = trained[0] / "model.cxr"
    for options, said in (
        (("--port", "99999"), "port 99999"),
        (("--host", "0.0.0.0"), "token"),
        (("--token-file", "gone"), "gone"),
    ):
        outcome = cxr("serve", model, *options)
        assert outcome.code == 2 and said in outcome.error
