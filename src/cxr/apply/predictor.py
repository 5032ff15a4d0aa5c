"""A loaded model file, ready to predict by torch or by ONNX Runtime, which needs no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .._io import say
from ..bundle.config import BundleConfig
from ..bundle.members import refusing
from ..bundle.read import Contents, open_bundle, tested_network
from ..bundle.sign import require_signature
from ..bundle.similar import Similar
from ..errors import BundleError, UnknownName, UsageError
from ..pixels import LungFrame, load_for_prediction
from .decision.prediction import Prediction, predictions
from .decision.rules import DecisionRules
from .decision.rules import Floats as FloatArray
from .engine import Engine, Floats, NetworkOutputs, Pixels, TorchEngine

if TYPE_CHECKING:
    from torch import Tensor

    from ..backbones import Network

ONNX = "model.onnx"
RUNTIMES = ("auto", "torch", "onnx")


class HeatMap(NamedTuple):
    """Float32 `values` (S, S) in 0..1, the class that they speak for, and the method in words."""

    values: Floats
    class_name: str
    method: str


class Answer(tuple[str, "Tensor", "Tensor"]):
    """fast.ai's triple with the `prediction` that it is of, which is printed before it."""

    prediction: Prediction

    def __new__(cls, triple: tuple[str, Tensor, Tensor], prediction: Prediction) -> Answer:
        answer = super().__new__(cls, triple)
        answer.prediction = prediction
        return answer

    def __repr__(self) -> str:
        return f"{self.prediction}\n{tuple(self)}"


@dataclass(frozen=True)
class Predictor:
    """A model file, loaded: an engine that runs its network, and the rules for what it gives.

    `predict` is fast.ai's, for one image; `predictions` says more, of many. The methods may be
    called by several threads at once. `digest` is the SHA-256 of the file.
    """

    path: Path
    digest: str
    rules: DecisionRules
    engine: Engine
    similar: Similar | None = None

    @property
    def config(self) -> BundleConfig:
        return self.rules.config

    @property
    def vocab(self) -> tuple[str, ...]:
        return self.config.classes

    @property
    def runtime(self) -> str:
        return self.engine.name

    @property
    def network(self) -> Network:
        """Raises UsageError when the model does not run by torch."""
        if not isinstance(self.engine, TorchEngine):
            raise UsageError(
                f"{self.path} runs by ONNX Runtime, which does not show its network; "
                'use load_predictor(path, runtime="torch")'
            )
        return self.engine.network

    def framed(self, item: Any) -> tuple[Pixels, LungFrame]:
        """What the network sees of a path, bytes, PIL image, array or DICOM: uint8 (S, S), and
        which part of the whole image that is (see `load_for_prediction`). Raises ImageError."""
        config = self.config
        return load_for_prediction(item, config.size, config.resize_method, config.frame)

    def pixels(self, item: Any) -> Pixels:
        """The first part of `framed`."""
        return self.framed(item)[0]

    def run(self, pixels: Pixels) -> NetworkOutputs:
        """What the network gives for uint8 (n, S, S)."""
        return self.engine.run(pixels)

    def predictions(
        self,
        pixels: Pixels,
        prevalence: float | None = None,
        frames: Sequence[LungFrame] | None = None,
    ) -> list[Prediction]:
        """One for each image of uint8 (n, S, S); `prevalence` and `frames` (those of `framed`):
        see `decision.predictions`."""
        return predictions(self.rules, self.run(pixels), pixels, prevalence, frames)

    def logits(self, pixels: Pixels, rows: np.ndarray | None = None) -> Tensor:
        """uint8 (n, S, S) -> fp32 (n, k), of all images or of those in `rows`."""
        import torch

        return torch.from_numpy(self.engine.logits(pixels, rows))

    def logits_and_distances(self, pixels: Pixels) -> tuple[Floats, FloatArray | None]:
        """uint8 (n, S, S) -> logits (n, k), and how far each is from the training images in units
        of their limit (n,), if the model file knows; in one pass."""
        outputs = self.run(pixels)
        return outputs.logits, self.rules.distances(outputs, pixels)

    def probabilities(
        self, logits: Tensor, calibrated: bool = False, prevalence: float | None = None
    ) -> Tensor:
        """fp32 (n, k), as `DecisionRules.probabilities`."""
        import torch

        return torch.from_numpy(self.rules.probabilities(logits.numpy(), calibrated, prevalence))

    def predict(self, item: Any) -> Answer:
        """fast.ai's triple: (class name, index, probabilities (k,)).

        The name is the decision at the model's operating threshold, as everywhere, and the
        probabilities are the calibrated ones that it applies to; for several labels the names are
        joined by "; " and the index is a 0/1 vector. `prediction` of the answer says all the rest.
        What was not judged is said before anything else. Raises ImageError for an image that
        cannot be read.
        """
        import torch

        from ..backbones import triple_of

        pixels, frame = self.framed(item)
        (prediction,) = self.predictions(pixels[np.newaxis], frames=[frame])
        if not prediction.judged:
            say(str(prediction))
        chances = list(prediction.calibrated.values())
        task = self.rules.task
        probabilities = torch.tensor(chances, dtype=torch.float32)
        triple = triple_of(probabilities, task.classes, task.decided(chances), task.multi_label)
        return Answer(triple, prediction)

    def decision(self, calibrated: Sequence[float]) -> str:
        """The answer at the operating threshold, from calibrated probabilities (k,)."""
        return self.rules.decision(calibrated)

    def heat_map(self, pixels: Pixels, index: int | None = None) -> HeatMap:
        """Which part of an image uint8 (S, S) raises the score of class `index`, by default of the
        finding that the model looks for, or without one of the likeliest class.

        The strongest place is 1 by definition, so two maps cannot be compared in strength; where
        nothing speaks for the class the map is zero.
        Raises UsageError for pixels of another shape or a class that is not there.
        """
        size, classes = self.config.size, self.config.classes
        if pixels.shape != (size, size) or pixels.dtype != np.uint8:
            raise UsageError(
                f"{pixels.dtype} {pixels.shape} is not uint8 ({size}, {size}); "
                "use predictor.pixels(file)"
            )
        if index is None:
            index = self.class_of_interest(pixels)
        if not 0 <= index < len(classes):
            raise UsageError(
                f"no class {index}; there are 0 to {len(classes) - 1}: {', '.join(classes)}"
            )
        values, method = self.engine.explain(pixels, index, self.config.multi_label)
        return HeatMap(values, classes[index], method)

    def class_of_interest(self, pixels: Pixels) -> int:
        """Of one image (S, S); the network is run only where the answer depends on the image."""
        if (known := self.rules.task.positive_index) is not None:
            return known
        logits = self.engine.logits(pixels[np.newaxis])
        probabilities = self.rules.probabilities(logits, calibrated=True)
        return self.rules.class_of_interest(probabilities[0].tolist())


def load_learner(path: Path | str) -> Predictor:
    """Reads `model.cxr` to run it by torch: fast.ai's name for it.

    A pickle such as fast.ai's export.pkl is refused. Raises as `load_predictor`.
    """
    return load_predictor(path, "torch")


def load_predictor(
    path: Path | str,
    runtime: str = "auto",
    threads: int | None = None,
    trusted_key: Path | str | None = None,
) -> Predictor:
    """`runtime`: `onnx` runs the file's model.onnx by ONNX Runtime on `threads` threads (None:
    all); where the file holds none, the network is exported first, which needs torch. `torch` runs
    the network by torch. `auto` takes onnx if the file holds it, or else torch. `trusted_key`: only
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
        by_onnx = runtime == "onnx" or (runtime == "auto" and ONNX in contents.members)
        engine = _onnx_engine(contents, threads) if by_onnx else TorchEngine(_network(contents))
    rules = DecisionRules(contents.config, contents.abstention)
    return Predictor(contents.path, contents.digest, rules, engine, contents.similar)


def _onnx_engine(contents: Contents, threads: int | None) -> Engine:
    from .onnx import OnnxEngine

    config = contents.config
    data = contents.members.get(ONNX) or _exported(contents)
    engine = OnnxEngine(data, threads, size=config.size, n_classes=len(config.classes))
    try:
        outputs = engine.run(contents.golden.images)
    except Exception as error:  # ONNX Runtime has errors of many kinds
        raise BundleError(f"self-test failed: {ONNX} does not run ({error})") from error
    contents.check(*outputs)
    return engine


def _network(contents: Contents) -> Network:
    if find_spec("torch") is None or find_spec("timm") is None:
        raise BundleError(
            f"it holds no {ONNX}, and torch, which its network needs without, is not installed; "
            f"where cxr is installed with torch, run: cxr export {contents.path.name} --onnx "
            'served.cxr; or here: pip install "cxr[train]"'
        )
    return tested_network(contents)


def _exported(contents: Contents) -> bytes:
    from .onnx import onnx_bytes

    return onnx_bytes(_network(contents), contents.config)
