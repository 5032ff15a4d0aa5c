"""`cxr export`: what it says. What it writes is tested with `cxr.apply.onnx`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cxr.apply.onnx import Int8

Call = Callable[..., Any]


def test_how_far_the_outputs_agree(cxr: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cxr.apply.onnx.export_onnx", lambda model, out: 1.5e-6)
    outcome = cxr("export", "model.cxr", "--onnx", "model.onnx")
    assert outcome.code == 0
    assert outcome.lines == ["model.onnx: outputs agree with model.cxr within 1.5e-06"]
    as_json = cxr("export", "model.cxr", "--onnx", "model.onnx", "--json").json
    assert as_json == {"onnx": "model.onnx", "largest_difference": 1.5e-6}


def test_no_model_is_wrong_usage(tmp_path: Path, cxr: Call) -> None:
    outcome = cxr("export", tmp_path / "gone.cxr", "--onnx", tmp_path / "model.onnx")
    assert outcome.code == 2 and outcome.error.startswith("no model file ")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("moved", [0, 2])
def test_in_8_bit_integers(cxr: Call, monkeypatch: pytest.MonkeyPatch, moved: int) -> None:
    given = []

    def export_int8(*arguments: object) -> Int8:
        given.append(arguments)
        return Int8(50, 0, moved, 0.0123, 1.5, 1.25)

    monkeypatch.setattr("cxr.apply.onnx.export_int8", export_int8)
    call = ("export", "m.cxr", "--onnx", "m.onnx", "--int8", "--data", "images", "--split", "valid")
    outcome = cxr(*call)
    assert given == [(Path("m.cxr"), Path("m.onnx"), Path("images"), "valid", None)]
    assert f"{moved} of 50 decisions move" in outcome.out
    assert "1.50 times as fast for one image, 1.25 times in batches" in outcome.out
    assert outcome.code == (1 if moved else 0)
    assert outcome.out.endswith("; nothing was written\n") == bool(moved)
    as_json = cxr(*call, "--json").json
    assert as_json["onnx"] == (None if moved else "m.onnx")
    assert (as_json["kept"], as_json["moved"]) == (not moved, moved)


def test_8_bit_integers_need_images(cxr: Call) -> None:
    outcome = cxr("export", "model.cxr", "--onnx", "model.onnx", "--int8")
    assert outcome.code == 2 and "--int8 needs --data" in outcome.error
