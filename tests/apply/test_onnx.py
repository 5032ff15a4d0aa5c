"""ONNX export: any runtime gives the model's own answer, and knows how to read it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from scipy.special import softmax
from torch import nn

import cxr.apply.onnx as export
from cxr.apply import load_learner
from cxr.apply.onnx import export_onnx, onnx_bytes
from cxr.bundle import DISCLAIMER
from cxr.errors import BundleError, UsageError


def run(file: Path, images: np.ndarray) -> np.ndarray:
    """As a stranger to cxr would."""
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    (entry,) = session.get_inputs()
    assert entry.type == "tensor(uint8)" and entry.shape[1:] == [1, 64, 64]
    return session.run(None, {entry.name: images})[0]


def facts(file: Path) -> dict[str, str]:
    return {entry.key: entry.value for entry in onnx.load(file).metadata_props}


@pytest.mark.parametrize("backbone", ["test_efficientnet", "test_resnet", "test_vit"])
def test_logits_are_those_of_the_model(
    write_model: Callable[..., Path], films: list[Path], tmp_path: Path, backbone: str
) -> None:
    model, out = write_model(backbone), tmp_path / "deep" / "model.onnx"
    assert export_onnx(model, out) <= 1e-4
    predictor = load_learner(model)
    pixels = np.stack([predictor.pixels(film) for film in films])
    expected = predictor.logits(pixels).numpy()
    assert np.ptp(expected, axis=0).min() > 1e-3, "films that all score the same prove nothing"
    np.testing.assert_allclose(run(out, pixels[:, None]), expected, atol=1e-4)
    np.testing.assert_allclose(run(out, pixels[:1, None]), expected[:1], atol=1e-4)


def test_metadata_suffice_to_read_the_answer(
    tiny_model: Path, films: list[Path], tmp_path: Path
) -> None:
    export_onnx(tiny_model, tmp_path / "m.onnx")
    found, predictor = facts(tmp_path / "m.onnx"), load_learner(tiny_model)
    assert json.loads(found["classes"]) == ["NORMAL", "PNEUMONIA"]
    assert (found["size"], found["resize_method"], found["threshold"]) == ("64", "squish", "0.4")
    assert (found["positive"], found["multi_label"]) == ("PNEUMONIA", "false")
    assert found["disclaimer"] == DISCLAIMER
    pixels = predictor.pixels(films[0])
    logits = run(tmp_path / "m.onnx", pixels[None, None])
    ours = predictor.probabilities(predictor.logits(pixels[None]), calibrated=True).numpy()
    theirs = softmax(logits / json.loads(found["temperature"]), axis=1)
    np.testing.assert_allclose(theirs, ours, atol=1e-5)


def test_says_nothing(tiny_model: Path, tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    export_onnx(tiny_model, tmp_path / "m.onnx")
    assert capfd.readouterr() == ("", "")


def test_another_suffix_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"\.onnx"):
        export_onnx(tiny_model, tmp_path / "model.pt")


def test_a_file_that_differs_is_not_written(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def other_bytes(network: nn.Module, config: object) -> bytes:
        with torch.no_grad():
            network.head[-1].bias += 0.01
        data = onnx_bytes(network, config)
        with torch.no_grad():
            network.head[-1].bias -= 0.01
        return data

    monkeypatch.setattr(export, "onnx_bytes", other_bytes)
    with pytest.raises(BundleError, match=r"differ from torch's by 0\.01 "):
        export_onnx(tiny_model, tmp_path / "m.onnx")
    assert not (tmp_path / "m.onnx").exists()


def test_what_onnx_cannot_say_is_one_line(tiny_model: Path) -> None:
    class Spectral(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.linalg.eigvals(x.mean(1)).real

    bundle = load_learner(tiny_model).bundle
    bundle.network.body = Spectral()
    with pytest.raises(BundleError, match="test_efficientnet cannot be said in ONNX") as caught:
        onnx_bytes(bundle.network, bundle.config)
    assert "\n" not in str(caught.value)
