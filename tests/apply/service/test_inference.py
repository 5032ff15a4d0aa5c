"""The Open Inference Protocol, version 2."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from cxr.apply.predictor import Predictor
from cxr.apply.service import Limits, make_app

SIZE = 64
INFER = "/v2/models/tiny/infer"


def tensor(pixels: np.ndarray, **changed: Any) -> dict[str, Any]:
    shape = [len(pixels), 1, *pixels.shape[1:]]
    found = {"name": "image", "datatype": "UINT8", "shape": shape, "data": pixels.ravel().tolist()}
    return {**found, **changed}


def body(*inputs: Any, **more: Any) -> bytes:
    return json.dumps({"inputs": list(inputs), **more}).encode()


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (3, SIZE, SIZE), np.uint8)


def test_metadata(ask: Any, predictor: Predictor) -> None:
    assert ask.get("/v2").json["name"] == "cxr"
    assert ask.get("/v2/models/tiny").json == {
        "name": "tiny",
        "versions": [predictor.digest],
        "platform": "onnxruntime_onnx",
        "inputs": [{"name": "image", "datatype": "UINT8", "shape": [-1, 1, SIZE, SIZE]}],
        "outputs": [
            {"name": "logits", "datatype": "FP32", "shape": [-1, 2]},
            {"name": "probabilities", "datatype": "FP32", "shape": [-1, 2]},
        ],
    }
    assert ask.get("/v2/models/tiny/ready").json == {"name": "tiny", "ready": True}


def test_tensors_in_and_out(ask: Any, predictor: Predictor, pixels: np.ndarray) -> None:
    logits = predictor.run(pixels).logits
    expected = {
        "logits": logits,
        "probabilities": predictor.rules.probabilities(logits, calibrated=True),
    }
    nested = pixels[:, np.newaxis].tolist()
    for data in (pixels.ravel().tolist(), nested):
        found = ask.post(INFER, body(tensor(pixels, data=data), id="42"))
        assert found.status == 200, found.body
        said = found.json
        assert (said["model_name"], said["model_version"], said["id"]) == (
            "tiny",
            predictor.digest,
            "42",
        )
        for output, (name, values) in zip(said["outputs"], expected.items(), strict=True):
            assert (output["name"], output["datatype"], output["shape"]) == (name, "FP32", [3, 2])
            assert output["data"] == pytest.approx(values.ravel().tolist(), abs=1e-5)


def test_outputs_can_be_chosen(ask: Any, pixels: np.ndarray) -> None:
    wanted = [{"name": "probabilities"}]
    found = ask.post(INFER, body(tensor(pixels), outputs=wanted), content_type="application/json")
    assert [one["name"] for one in found.json["outputs"]] == ["probabilities"]
    assert "id" not in found.json


def test_other_models_are_not_here(ask: Any) -> None:
    for method, path in (("GET", ""), ("GET", "/ready"), ("POST", "/infer")):
        found = ask(method, f"/v2/models/other{path}", b"{}")
        assert found.status == 404 and "tiny" in found.json["error"]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"datatype": "FP32"}, "UINT8"),
        ({"datatype": None}, "UINT8"),
        ({"name": "x"}, "image"),
        ({"shape": [1, 1, 32, 32]}, "[n, 1, 64, 64]"),
        ({"shape": [1, 64, 64]}, "[n, 1, 64, 64]"),
        ({"shape": [3.0, 1, 64, 64]}, "[n, 1, 64, 64]"),
        ({"shape": [True, 1, 64, 64]}, "[n, 1, 64, 64]"),
        ({"shape": None}, "[n, 1, 64, 64]"),
        ({"shape": [0, 1, 64, 64]}, "1 to 64"),
        ({"shape": [-1, 1, 64, 64]}, "1 to 64"),
        ({"shape": [10**9, 1, 64, 64]}, "1 to 64"),
        ({"shape": [2, 1, 64, 64]}, "12,288 values"),
        ({"data": []}, "0 values"),
        ({"data": None}, "a list"),
        ({"data": "AAAA"}, "a list"),
        ({"data": [256] * 12288}, "0 to 255"),
        ({"data": [-1] * 12288}, "0 to 255"),
        ({"data": [0.5] * 12288}, "0 to 255"),
        ({"data": [True] * 12288}, "0 to 255"),
        ({"data": [10**30] * 12288}, "0 to 255"),
        ({"data": [[1], 2]}, "unevenly"),
        ({"data": [[[[[1]]]]]}, "values"),
    ],
)
def test_wrong_tensors_are_told_why(
    ask: Any, pixels: np.ndarray, changed: dict[str, Any], said: str
) -> None:
    found = ask.post(INFER, body(tensor(pixels, **changed)))
    assert found.status == 400 and said in found.json["error"] == found.json["detail"]
    assert len(found.body) < 500


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"{",
        b"\xff",
        b"[]",
        b"{}",
        b"NaN",
        b"[" * 100_000,
        b'{"inputs": 1}',
        b'{"inputs": [1]}',
        b'{"inputs": [], "x": 1}',
        body({}, {}),
        body(id=1),
        body(id="x" * 1000),
        body(parameters=1),
    ],
)
def test_what_is_no_request(ask: Any, sent: bytes) -> None:
    found = ask.post(INFER, sent)
    assert found.status == 400 and found.json["error"]


@pytest.mark.parametrize(
    "outputs", [1, {}, [1], [{}], [{"name": "x"}], [{"name": []}], [{"name": "logits"}] * 2]
)
def test_wrong_outputs(ask: Any, pixels: np.ndarray, outputs: Any) -> None:
    assert ask.post(INFER, body(tensor(pixels), outputs=outputs)).status == 400


def test_bounds(predictor: Predictor, pixels: np.ndarray, asking: Any) -> None:
    with asking(make_app(predictor, limits=Limits(pending=2, tensor_body=1_000_000))) as ask:
        assert "1 to 2" in ask.post(INFER, body(tensor(pixels))).json["error"]
        assert ask.post(INFER, body(tensor(pixels[:2]))).status == 200
        assert ask.post(INFER, b" " * 1_000_001).status == 413
        assert ask.post(INFER, b"{}", content_type="text/plain").status == 415


def test_any_text_comes_back_as_the_id(ask: Any, pixels: np.ndarray) -> None:
    for text in ("a", "größer", "\ud800"):  # the last is half a character
        found = ask.post(INFER, body(tensor(pixels), id=text))
        assert found.status == 200 and found.json["id"] == text
