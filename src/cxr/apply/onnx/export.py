"""The network for other runtimes: one ONNX file that needs nothing of cxr but its input size."""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict
from pathlib import Path

import numpy as np

from ..._io import atomic_path
from ...backbones import Network
from ...bundle import DISCLAIMER, BundleConfig, read_bundle
from ...bundle.golden import golden_images
from ...errors import BundleError, UsageError
from ..engine import Engine, TorchEngine
from .audit import audit
from .engine import OnnxEngine
from .traced import traced

ALONE, BUNDLE = SUFFIXES = (".onnx", ".cxr")
MEMBER = "model.onnx"
TOLERANCE = 1e-4  # of logits; of features, relative to the largest
N_RANDOM = 5

# What only cxr itself needs to build the network again.
LEFT_OUT = {"dropout", "format", "weights_source"}


def export_onnx(model: Path | str, out: Path | str) -> float:
    """Writes the network of `model` as ONNX and returns how far its logits are from torch's.

    `out` ending in .onnx: the network alone. Ending in .cxr: a copy of `model` that holds it too,
    for a server without torch; `out` may be `model` itself.

    Input `image`: uint8 (B, 1, S, S) grey, any B, as `load_grey` gives it; scaling and
    normalisation are inside. Outputs, float32: `logits` (B, k); `features` (B, F) and `middle`
    (B, M) as in `engine.NetworkOutputs`. Classes, temperature, threshold and the rest of the
    model's configuration are in the file's metadata, each as text or JSON.

    The file is run by onnxruntime before it is written: the returned number is the largest
    absolute difference of any logit on the golden images and a few random ones.
    Raises UsageError for another name, BundleError when the model is refused, cannot be said in
    ONNX, or differs by more than 1e-4; then nothing is written.
    """
    out = checked_name(out)
    bundle = read_bundle(model)
    data = onnx_bytes(bundle.network, bundle.config)
    difference = largest_difference(TorchEngine(bundle.network), data, bundle.config.size)
    if not difference <= TOLERANCE:
        raise BundleError(
            f"{model}: onnxruntime's logits differ from torch's by {difference:.2g} (at most "
            f"{TOLERANCE} allowed), so nothing was written; train with another backbone"
        )
    write_onnx(model, out, data)
    return difference


def checked_name(out: Path | str) -> Path:
    out = Path(out)
    if out.suffix not in SUFFIXES:
        raise UsageError(
            f"cannot write {out}: the name must end in {ALONE} (the network alone) or {BUNDLE} (a "
            "copy of the model that holds it too)"
        )
    return out


def write_onnx(model: Path | str, out: Path, data: bytes) -> None:
    """Alone or as a member of a copy of `model`, by the suffix of `out`."""
    if out.suffix == BUNDLE:
        from ...bundle.write import rewrite

        rewrite(Path(model), out, add={MEMBER: data})
        return
    with atomic_path(out) as temporary:
        temporary.write_bytes(data)


def onnx_bytes(network: Network, config: BundleConfig) -> bytes:
    """The ONNX file, checked for form, with `config` in its metadata."""
    data = finished(folded(traced(network)), config)
    audit(data, config.size, len(config.classes))
    return data


def folded(data: bytes) -> bytes:
    """What is constant computed once: onnxruntime's basic optimisations, which use only operations
    of the standard."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "folded.onnx"
        options.optimized_model_filepath = str(file)
        onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        return file.read_bytes()


def finished(data: bytes, config: BundleConfig) -> bytes:
    """With metadata, the standard's operations alone, and without the names of other producers."""
    import onnx

    model = onnx.load_from_string(data)
    standard = [entry for entry in model.opset_import if entry.domain == ""]
    del model.opset_import[:]
    model.opset_import.extend(standard)
    onnx.helper.set_model_props(model, metadata(config))
    model.producer_name = "cxr"
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def metadata(config: BundleConfig) -> dict[str, str]:
    """Text by name for `metadata_props`; whatever is not text is JSON."""
    facts = {name: value for name, value in asdict(config).items() if name not in LEFT_OUT}
    texts = {n: v if isinstance(v, str) else json.dumps(v) for n, v in facts.items()}
    return {**texts, "disclaimer": DISCLAIMER}


def largest_difference(network: Engine, data: bytes, size: int) -> float:
    """Largest |torch - onnxruntime| of any logit, for one image alone and for several at once.

    Infinite where features or middle differ by more than 1e-4 of their largest.
    """
    random = np.random.default_rng(0).integers(0, 256, (N_RANDOM, size, size), dtype=np.uint8)
    images = np.concatenate([golden_images(size), random])
    engine, ours = OnnxEngine(data, threads=1), network.run(images)
    alone, rest = engine.run(images[:1]), engine.run(images[1:])
    differences = []
    for own, first, others in zip(ours, alone, rest, strict=True):
        theirs = np.concatenate([first, others])
        if own.shape != theirs.shape:
            return float("inf")
        differences.append(float(np.abs(own - theirs).max(initial=0)))
    for own, difference in zip(ours[1:], differences[1:], strict=True):
        if not difference <= TOLERANCE * max(1.0, float(np.abs(own).max(initial=0))):
            return float("inf")
    return differences[0]
