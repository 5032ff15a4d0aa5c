"""`cxr serve`: options in. The service is tested with `cxr.apply.service`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Call = Callable[..., Any]


def test_options(cxr: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr("cxr.apply.service.serve_model", lambda *given: asked.append(given))
    assert cxr("serve", "model.cxr").code == 0
    cxr("serve", "model.cxr", "--host", "10.0.0.5", "--port", "81", "--token-file", "token")
    assert asked == [
        (Path("model.cxr"), "127.0.0.1", 8000, None),
        (Path("model.cxr"), "10.0.0.5", 81, Path("token")),
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
