"""`cxr export`: what it says. What it writes is tested with `cxr.apply.onnx`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Call = Callable[..., Any]


def test_how_far_the_outputs_agree(cxr: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cxr.apply.onnx.export_onnx", lambda model, out: 1.5e-6)
    outcome = cxr("export", "model.cxr", "--onnx", "model.onnx")
    assert outcome.code == 0
    assert outcome.out == "model.onnx: outputs agree with model.cxr within 1.5e-06\n"
    as_json = cxr("export", "model.cxr", "--onnx", "model.onnx", "--json").json
    assert as_json == {"onnx": "model.onnx", "largest_difference": 1.5e-6}


def test_no_model_is_wrong_usage(tmp_path: Path, cxr: Call) -> None:
    outcome = cxr("export", tmp_path / "gone.cxr", "--onnx", tmp_path / "model.onnx")
    assert outcome.code == 2 and outcome.error.startswith("no model file ")
    assert not list(tmp_path.iterdir())
