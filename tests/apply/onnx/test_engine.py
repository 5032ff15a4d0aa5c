"""onnxruntime and torch give one answer, and the first needs nothing of the second."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from cxr.apply.engine import NetworkOutputs, TorchEngine
from cxr.apply.onnx import OnnxEngine, onnx_bytes
from cxr.apply.onnx.engine import BATCH
from cxr.bundle import Bundle, read_bundle
from cxr.errors import BundleError

WIDTHS = {"test_efficientnet": (256, 64), "test_resnet": (96, 96), "test_vit": (64, 0)}


@pytest.fixture
def bundle(tiny_model: Path) -> Bundle:
    return read_bundle(tiny_model)


def noise(n: int) -> np.ndarray:
    return np.random.default_rng(4).integers(0, 256, (n, 64, 64), dtype=np.uint8)


def assert_same(found: NetworkOutputs, expected: NetworkOutputs) -> None:
    for name, own, other in zip(NetworkOutputs._fields, found, expected, strict=True):
        assert own.dtype == np.float32
        np.testing.assert_allclose(own, other, atol=1e-4, err_msg=name)


@pytest.mark.parametrize("backbone", WIDTHS)
def test_sees_what_torch_sees(write_model: Callable[..., Path], backbone: str) -> None:
    bundle = read_bundle(write_model(backbone))
    engine = OnnxEngine(onnx_bytes(bundle.network, bundle.config), threads=1)
    images = noise(BATCH + 3)
    found = engine.run(images)
    assert_same(found, TorchEngine(bundle.network).run(images))
    assert_same(engine.run(images[:1]), NetworkOutputs(*(part[:1] for part in found)))
    assert (found.features.shape[1], found.middle.shape[1]) == WIDTHS[backbone]
    assert np.ptp(found.logits, axis=0).min() > 0


def test_nothing_to_see(bundle: Bundle) -> None:
    engine = OnnxEngine(onnx_bytes(bundle.network, bundle.config))
    assert [part.shape for part in engine.run(noise(0))] == [(0, 2), (0, 256), (0, 64)]


def test_several_threads_at_once(bundle: Bundle) -> None:
    engine = OnnxEngine(onnx_bytes(bundle.network, bundle.config), threads=1)
    images = noise(8)
    expected = engine.run(images).logits
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda i: engine.run(images[i : i + 1]).logits[0], range(8)))
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_memory_bounds_the_batch(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    data = onnx_bytes(bundle.network, bundle.config)
    whole = OnnxEngine(data, threads=1)
    assert [part.stop - part.start for part in whole._batches(40)] == [BATCH, 8]
    monkeypatch.setattr("cxr.apply.onnx.audit.MAX_NUMBERS", 2 * whole.audit.summary.numbers)
    few = OnnxEngine(data, threads=1)
    assert [part.stop - part.start for part in few._batches(5)] == [2, 2, 1]
    np.testing.assert_allclose(few.run(noise(5)).logits, whole.run(noise(5)).logits, atol=1e-5)


def test_of_another_size_or_other_classes(bundle: Bundle) -> None:
    data = onnx_bytes(bundle.network, bundle.config)
    OnnxEngine(data, size=64, n_classes=2)
    with pytest.raises(BundleError, match="images of size 64, the model for 96"):
        OnnxEngine(data, size=96)
    with pytest.raises(BundleError, match="classes of 2, the model for 3"):
        OnnxEngine(data, n_classes=3)


def test_neither_torch_nor_onnx(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(onnx_bytes(bundle.network, bundle.config))
    code = f"""
import sys
for name in ("torch", "torchvision", "timm", "onnx", "pandas", "scipy", "sklearn"):
    sys.modules[name] = None
import numpy as np
from pathlib import Path
from cxr.apply.onnx import OnnxEngine
data = Path({str(tmp_path / "m.onnx")!r}).read_bytes()
sys.stdout.write(str(OnnxEngine(data, 1).run(np.zeros((2, 64, 64), np.uint8)).logits.shape))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "(2, 2)"), done.stderr
