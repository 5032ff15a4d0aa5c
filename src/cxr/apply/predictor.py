"""A model file, loaded and ready to answer, with torch: what fast.ai users know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..bundle import Bundle, BundleConfig, read_bundle
from ..pixels import load_grey
from .decision.calibrate import Floats
from .decision.rules import Judge
from .engine import TorchEngine

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Predictor:
    """What `load_learner` returns. `predict` is fast.ai's; `logits` works on many images."""

    bundle: Bundle

    @property
    def config(self) -> BundleConfig:
        return self.bundle.config

    @property
    def vocab(self) -> tuple[str, ...]:
        return self.config.classes

    @cached_property
    def judge(self) -> Judge:
        return Judge(self.config, self.bundle.abstention)

    def pixels(self, item: Any) -> np.ndarray:
        """uint8 (size, size) of a path, bytes, PIL image, array or DICOM. Raises ImageError."""
        return load_grey(item, self.config.size, self.config.resize_method)

    def logits(self, pixels: np.ndarray, rows: np.ndarray | None = None) -> Tensor:
        """uint8 (n, size, size) -> fp32 (n, k), of all images or of those in `rows`."""
        from ..backbones import logits_of

        return logits_of(self.bundle.network, pixels, rows)

    def probabilities(
        self, logits: Tensor, calibrated: bool = False, prevalence: float | None = None
    ) -> Tensor:
        """(n, k), as `Judge.probabilities`."""
        import torch

        return torch.from_numpy(self.judge.probabilities(logits.numpy(), calibrated, prevalence))

    def predict(self, item: Any) -> tuple[str, Tensor, Tensor]:
        """(class name, index, probabilities (k,)), the same as from the learner itself."""
        from ..backbones import decide

        chances = self.probabilities(self.logits(self.pixels(item)[np.newaxis]))[0]
        return decide(chances, self.config.classes, self.config.multi_label)

    def decision(self, calibrated: Sequence[float]) -> str:
        """What the model says at its operating point: `Judge.decision`."""
        return self.judge.decision(calibrated)


def load_learner(path: Path | str) -> Predictor:
    """Reads `model.cxr`. A pickle such as fast.ai's export.pkl is refused with the reason."""
    return Predictor(read_bundle(path))


def look(predictor: Predictor, pixels: np.ndarray) -> tuple[Floats, Floats | None]:
    """uint8 (n, S, S) -> logits (n, k), and how far each is from the training images in units of
    their limit (n,), if the model file knows; in one pass."""
    seen = TorchEngine(predictor.bundle.network).see(pixels)
    return seen.logits, predictor.judge.distances(seen, pixels)
