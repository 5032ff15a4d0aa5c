"""ONNX export: any runtime gives the model's own answer, and knows how to read it."""

from __future__ import annotations

import json
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from scipy.special import softmax
from torch import nn

import cxr.apply.onnx.export as export
from cxr.apply import load_learner
from cxr.apply.engine import TorchEngine
from cxr.apply.onnx import OnnxEngine, export_onnx, onnx_bytes
from cxr.backbones import Architecture, build_network
from cxr.bundle import DISCLAIMER, BundleConfig
from cxr.errors import BundleError, UsageError
from cxr.pixels import load_grey


def settings(backbone: str, size: int) -> BundleConfig:
    return BundleConfig(classes=("NORMAL", "PNEUMONIA"), backbone=backbone, size=size)


def run(file: Path, images: np.ndarray) -> np.ndarray:
    """As a stranger to cxr would."""
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    (entry,) = session.get_inputs()
    assert entry.type == "tensor(uint8)" and entry.shape[1:] == [1, 64, 64]
    return session.run(["logits"], {entry.name: images})[0]


def facts(file: Path) -> dict[str, str]:
    return {entry.key: entry.value for entry in onnx.load(file).metadata_props}


BACKBONES = ["test_efficientnet", "test_resnet", "test_vit"]


@pytest.mark.parametrize("backbone", BACKBONES)
def test_logits_are_those_of_the_model(
    write_model: Callable[..., Path], films: list[Path], tmp_path: Path, backbone: str
) -> None:
    model, out = write_model(backbone), tmp_path / "deep" / "model.onnx"
    assert export_onnx(model, out) <= 1e-4
    predictor = load_learner(model)
    pixels = np.stack([predictor.pixels(film) for film in films])
    expected = predictor.logits(pixels).numpy()
    assert np.ptp(expected, axis=0).min() > 1e-3, "images that all score the same prove nothing"
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


SHAPES = {"Shape", "Gather", "Unsqueeze", "Expand", "Reshape", "Slice", "Where", "ConstantOfShape"}


def test_a_plain_list_of_layers() -> None:
    """TensorFlow's padding leaves no arithmetic, and what is constant is computed."""
    network, _ = build_network(Architecture("efficientnet_lite0", 2, 96), None)
    found = onnx.load_from_string(onnx_bytes(network, settings("efficientnet_lite0", 96)))
    layers = Counter(node.op_type for node in found.graph.node)
    assert not SHAPES & set(layers)
    assert (layers["Conv"], layers["Clip"], layers["Gemm"]) == (49, 34, 1)
    assert layers["BatchNormalization"] == 1, "the head's alone: no convolution is before it"
    assert max(layers.values()) == 49 and sum(layers.values()) < 115
    first = next(node for node in found.graph.node if node.op_type == "Conv")
    (weights,) = (w for w in found.graph.initializer if w.name == first.input[1])
    assert list(weights.dims) == [32, 1, 3, 3], "grey in, not three times grey"


@pytest.mark.parametrize("backbone", ["efficientnet_lite0", "resnet18"])
def test_real_images_are_seen_alike(shared_data: Path, backbone: str) -> None:
    network, _ = build_network(
        Architecture(backbone, 2, 96), "auto" if "lite" in backbone else None
    )
    engine = OnnxEngine(onnx_bytes(network, settings(backbone, 96)), threads=1)
    files = sorted((shared_data / "kermany224").rglob("*.jpeg"))[::700]
    assert len(files) > 5
    pixels = np.stack([load_grey(file, 96) for file in files])
    for ours, theirs in zip(TorchEngine(network).run(pixels), engine.run(pixels), strict=True):
        scale = max(1, np.abs(ours).max())
        np.testing.assert_allclose(theirs, ours, atol=1e-4 * scale)


def test_a_copy_of_the_model_holds_it_too(tiny_model: Path, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "served.cxr"
    assert export_onnx(tiny_model, out) <= 1e-4
    with zipfile.ZipFile(tiny_model) as before, zipfile.ZipFile(out) as after:
        assert set(after.namelist()) == {*before.namelist(), "model.onnx"}
        assert after.read("model.safetensors") == before.read("model.safetensors")
        data = after.read("model.onnx")
    assert OnnxEngine(data, size=64, n_classes=2).audit.summary.size == 64
    images = np.random.default_rng(2).integers(0, 256, (3, 64, 64), dtype=np.uint8)
    np.testing.assert_allclose(
        OnnxEngine(data).run(images).logits, load_learner(out).logits(images), atol=1e-4
    )


def test_the_model_itself_may_be_written_over(tiny_model: Path) -> None:
    export_onnx(tiny_model, tiny_model)
    with zipfile.ZipFile(tiny_model) as archive:
        assert "model.onnx" in archive.namelist()
    assert load_learner(tiny_model).vocab == ("NORMAL", "PNEUMONIA")


def test_another_suffix_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"\.onnx .* or \.cxr"):
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


def test_what_onnx_cannot_say_is_one_line(tiny_model: Path, capfd: pytest.CaptureFixture) -> None:
    class Spectral(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.linalg.eigvals(x.mean(1)).real

    predictor = load_learner(tiny_model)
    predictor.network.body = Spectral()
    with pytest.raises(BundleError, match="test_efficientnet cannot be written as ONNX") as caught:
        onnx_bytes(predictor.network, predictor.config)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")
