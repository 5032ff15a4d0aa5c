"""The network for other runtimes: one ONNX file that needs nothing of cxr but its input size."""

from __future__ import annotations

import json
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import numpy as np

from .._io import atomic_path
from ..backbones import Network, logits_of
from ..bundle import DISCLAIMER, BundleConfig, read_bundle
from ..bundle.golden import golden_images
from ..errors import BundleError, UsageError

SUFFIX = ".onnx"
INPUT, OUTPUT = "image", "logits"
OPSET = 18
TOLERANCE = 1e-4  # logits
N_RANDOM = 5

# What only cxr itself needs to build the network again.
LEFT_OUT = {"dropout", "format", "weights_source"}


def export_onnx(model: Path | str, out: Path | str) -> float:
    """Writes the network of `model` as ONNX and returns how far its logits are from torch's.

    Input `image`: uint8 (B, 1, S, S) grey, any B, as `load_grey` gives it; scaling and
    normalisation are inside. Output `logits`: float32 (B, k). Classes, temperature, threshold and
    the rest of the model's configuration are in the file's metadata, each as text or JSON.

    The file is run by onnxruntime before it is written: the returned number is the largest
    absolute difference of any logit on the golden images and a few random ones.
    Raises UsageError for a name that is not .onnx, BundleError when the model is refused, cannot
    be said in ONNX, or differs by more than 1e-4; then nothing is written.
    """
    out = Path(out)
    if out.suffix != SUFFIX:
        raise UsageError(f"cannot write {out}: the name must end in {SUFFIX}")
    bundle = read_bundle(model)
    data = onnx_bytes(bundle.network, bundle.config)
    difference = largest_difference(bundle.network, data)
    if not difference <= TOLERANCE:
        raise BundleError(
            f"{model}: onnxruntime's logits differ from torch's by {difference:.2g} (at most "
            f"{TOLERANCE} allowed), so nothing was written; train with another backbone"
        )
    with atomic_path(out) as temporary:
        temporary.write_bytes(data)
    return difference


def onnx_bytes(network: Network, config: BundleConfig) -> bytes:
    """The ONNX file, checked for form, with `config` in its metadata."""
    import onnx

    found = onnx.load_from_string(_traced(network))
    onnx.helper.set_model_props(found, metadata(config))
    found.producer_name = "cxr"
    onnx.checker.check_model(found)
    return found.SerializeToString()


def metadata(config: BundleConfig) -> dict[str, str]:
    """Text by name for `metadata_props`; whatever is not text is JSON."""
    facts = {name: value for name, value in asdict(config).items() if name not in LEFT_OUT}
    texts = {n: v if isinstance(v, str) else json.dumps(v) for n, v in facts.items()}
    return {**texts, "disclaimer": DISCLAIMER}


def _traced(network: Network) -> bytes:
    """By torch's tracing exporter: the newer one fails on some timm networks, is ten times slower,
    and needs a package more."""
    import torch

    size = network.architecture.size
    example = torch.zeros(2, 1, size, size, dtype=torch.uint8)
    try:
        with _quiet(), tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "network.onnx"
            torch.onnx.export(
                network,
                (example,),
                file,
                dynamo=False,
                opset_version=OPSET,
                input_names=[INPUT],
                output_names=[OUTPUT],
                dynamic_axes={INPUT: {0: "batch"}, OUTPUT: {0: "batch"}},
            )
            return file.read_bytes()
    except (RuntimeError, torch.onnx.errors.OnnxExporterError) as error:
        said = " ".join(str(error).split())[:200]
        raise BundleError(
            f"{network.architecture.backbone} cannot be said in ONNX ({said}); "
            "train with another backbone"
        ) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's warnings that it is the older one and makes sizes constant."""
    from torch.jit import TracerWarning

    with warnings.catch_warnings():
        for category in (DeprecationWarning, TracerWarning, UserWarning):
            warnings.simplefilter("ignore", category)
        yield


def largest_difference(network: Network, data: bytes) -> float:
    """Largest |torch - onnxruntime| of any logit, for one image alone and for several at once."""
    size = network.architecture.size
    random = np.random.default_rng(0).integers(0, 256, (N_RANDOM, size, size), dtype=np.uint8)
    images = np.concatenate([golden_images(size), random])
    ours = logits_of(network, images).numpy()
    session = _Session(data)
    theirs = np.concatenate([session.logits(images[:1]), session.logits(images[1:])])
    return float(np.abs(ours - theirs).max())


class _Session:
    def __init__(self, data: bytes) -> None:
        import onnxruntime

        onnxruntime.disable_telemetry_events()
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(
            data, options, providers=["CPUExecutionProvider"]
        )

    def logits(self, images: np.ndarray) -> np.ndarray:
        """uint8 (n, S, S) -> (n, k)."""
        return self.session.run([OUTPUT], {INPUT: images[:, np.newaxis]})[0]
