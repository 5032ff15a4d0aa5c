"""A model file, ready to read images on whatever runs its network; onnxruntime needs no torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from ..bundle.abstention import AbstentionRules
from ..bundle.config import BundleConfig
from ..bundle.members import refusing
from ..bundle.read import Bundle, Contents, open_bundle, tested_network
from ..bundle.sign import require_signature
from ..bundle.similar import Similar
from ..errors import BundleError, UnknownName
from ..pixels import load_grey
from .decision.rules import Judge, Record, records
from .engine import Engine, Floats, Pixels, Seen, TorchEngine

ONNX = "model.onnx"
RUNTIMES = ("auto", "torch", "onnx")

__all__ = ["RUNTIMES", "Heat", "Reader", "Record", "open_reader"]

# float32 (S, S) in 0..1, the class that it speaks for, and the method in words.
Heat = tuple[np.ndarray, str, str]


@dataclass(frozen=True)
class Reader:
    """Its methods may be called by several threads at once."""

    path: Path
    digest: str
    judge: Judge
    engine: Engine
    explain: Callable[[Pixels, int], tuple[np.ndarray, str]] = field(repr=False)
    similar: Similar | None = None

    @property
    def config(self) -> BundleConfig:
        return self.judge.config

    @property
    def abstention(self) -> AbstentionRules | None:
        return self.judge.abstention

    @property
    def runtime(self) -> str:
        return self.engine.name

    def pixels(self, item: Any) -> Pixels:
        """uint8 (S, S) of a path, bytes, PIL image, array or DICOM. Raises ImageError."""
        return load_grey(item, self.config.size, self.config.resize_method)

    def see(self, pixels: Pixels) -> Seen:
        """uint8 (n, S, S)."""
        return self.engine.see(pixels)

    def records(self, pixels: Pixels, prevalence: float | None = None) -> list[Record]:
        """One of each image uint8 (n, S, S); `prevalence`: see `judge.records`."""
        return records(self.judge, self.see(pixels), pixels, prevalence)

    def heat(self, pixels: Pixels, index: int | None = None) -> Heat:
        """Which part of an image (S, S) raises the score of class `index`, by default of the
        finding that the model looks for, or without one of the likeliest class."""
        if index is None:
            index = self.judge.asked([*self.records(pixels[np.newaxis])[0].calibrated.values()])
        heat, method = self.explain(pixels, index)
        return heat, self.config.classes[index], method

    def rules(self) -> list[str]:
        """What the model file holds to judge answers by, in sentences."""
        from .decision.confidence import rules_in_words

        return rules_in_words(self.judge)


def open_reader(
    path: Path | str,
    runtime: str = "auto",
    threads: int | None = None,
    trusted_key: Path | str | None = None,
) -> Reader:
    """`runtime`: `onnx` runs the file's model.onnx by onnxruntime on `threads` threads (None: all);
    where the file holds none, the network is translated first, which needs torch. `torch` runs the
    network by torch. `auto` takes onnx if the file holds it, or else torch. `trusted_key`: only
    what that public key signed is opened.

    Raises UsageError when there is no such file, BundleError when it is refused or when what it
    holds cannot be run by what is installed here.
    """
    if runtime not in RUNTIMES:
        raise UnknownName("runtime", runtime, RUNTIMES)
    contents = open_bundle(path)
    with refusing(contents.path):
        if trusted_key is not None:
            require_signature(contents.members, trusted_key)
        if runtime == "onnx" or (runtime == "auto" and ONNX in contents.members):
            return _by_onnx(contents, threads)
        return _by_torch(contents)


def _by_torch(contents: Contents) -> Reader:
    network = _network(contents)
    bundle = Bundle(contents.path, contents.config, network, contents.abstention, contents.digest)
    judge = Judge(contents.config, contents.abstention)

    def explain(pixels: Pixels, index: int) -> tuple[np.ndarray, str]:
        from .explain.cam import heat_of, method_of

        return heat_of(network, pixels, index, bundle.config.multi_label), method_of(network)

    return Reader(
        contents.path, contents.digest, judge, TorchEngine(network), explain, contents.similar
    )


def _by_onnx(contents: Contents, threads: int | None) -> Reader:
    from .explain.occlusion import METHOD, occlusion_heat
    from .onnx import OnnxEngine

    judge = Judge(contents.config, contents.abstention)
    engine = OnnxEngine(
        contents.members.get(ONNX) or _translated(contents),
        threads,
        size=contents.config.size,
        n_classes=len(contents.config.classes),
    )
    try:
        seen = engine.see(contents.golden.images)
    except Exception as error:  # onnxruntime has errors of many kinds
        raise BundleError(f"self-test failed: {ONNX} does not run ({error})") from error
    contents.check(*seen)

    def explain(pixels: Pixels, index: int) -> tuple[np.ndarray, str]:
        def logits(images: Pixels) -> Floats:
            return engine.see(images).logits

        return occlusion_heat(logits, pixels, index, contents.config.multi_label), METHOD

    return Reader(contents.path, contents.digest, judge, engine, explain, contents.similar)


def _network(contents: Contents) -> Any:
    if find_spec("torch") is None or find_spec("timm") is None:
        raise BundleError(
            f"it holds no {ONNX}, and torch, which its network needs without, is not installed; "
            f"where cxr is installed with torch, run: cxr export {contents.path.name} --onnx "
            'served.cxr; or here: pip install "cxr[train]"'
        )
    return tested_network(contents)


def _translated(contents: Contents) -> bytes:
    from .onnx import onnx_bytes

    return onnx_bytes(_network(contents), contents.config)
