"""A model file, loaded and ready to answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from ..backbones import decide, logits_of, probabilities_of
from ..bundle import Bundle, BundleConfig, read_bundle
from ..pixels import load_grey
from .calibrate import calibrate


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

    def pixels(self, item: Any) -> np.ndarray:
        """uint8 (size, size) of a path, bytes, PIL image, array or DICOM. Raises ImageError."""
        return load_grey(item, self.config.size, self.config.resize_method)

    def logits(self, pixels: np.ndarray, rows: np.ndarray | None = None) -> Tensor:
        """uint8 (n, size, size) -> fp32 (n, k), of all images or of those in `rows`."""
        return logits_of(self.bundle.network, pixels, rows)

    def probabilities(
        self, logits: Tensor, calibrated: bool = False, prevalence: float | None = None
    ) -> Tensor:
        """(n, k); `calibrated` as fitted on validation.

        `prevalence` gives calibrated ones for a population of which that share has the finding.
        Show those, but decide by `decision` from the ones without it: the threshold goes with them.
        """
        if calibrated or prevalence is not None:
            logits = calibrate(logits, self.config, prevalence)
        return probabilities_of(logits, self.config.multi_label)

    def predict(self, item: Any) -> tuple[str, Tensor, Tensor]:
        """(class name, index, probabilities (k,)), the same as from the learner itself."""
        chances = self.probabilities(self.logits(self.pixels(item)[np.newaxis]))[0]
        return decide(chances, self.config.classes, self.config.multi_label)

    def decision(self, calibrated: Sequence[float]) -> str:
        """What the model says at its operating point, from calibrated probabilities (k,).

        Two classes: the positive one from its threshold on. Several labels: those from 0.5 on,
        joined by "; ". Else the likeliest class.
        """
        classes, positive = self.config.classes, self.config.positive
        if self.config.multi_label:
            return "; ".join(c for c, p in zip(classes, calibrated, strict=True) if p >= 0.5)
        if positive is None or len(classes) != 2:
            return classes[int(np.argmax(calibrated))]
        index = classes.index(positive)
        return positive if calibrated[index] >= self.config.threshold else classes[1 - index]


def load_learner(path: Path | str) -> Predictor:
    """Reads `model.cxr`. A pickle such as fast.ai's export.pkl is refused with the reason."""
    return Predictor(read_bundle(path))
