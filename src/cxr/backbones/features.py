"""What a pretrained network sees in an image, before any training here."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from .names import EFFICIENTNET_LITE0
from .network import Architecture, build_network
from .processor import has_bf16, keep_freed_memory

BATCH = 64


class FeatureExtractor:
    """The frozen body of a backbone: uint8 (n, size, size) -> float32 (n, n_features).

    In bf16 where the hardware has it: good for telling images apart, not for a score to report.
    Raises WeightsError when the weights are not at hand.
    """

    def __init__(self, size: int, backbone: str = EFFICIENTNET_LITE0) -> None:
        self.network, _ = build_network(Architecture(backbone, 1, size))
        self.network.eval().requires_grad_(False)
        self.n_features: int = self.network.head.linear.in_features
        keep_freed_memory()

    def __call__(
        self, pixels: np.ndarray, change: Callable[[np.ndarray], np.ndarray] | None = None
    ) -> np.ndarray:
        """`change` is applied to each batch of pixels first: the whole set is never copied."""
        features = np.empty((len(pixels), self.n_features), np.float32)
        bf16 = has_bf16(torch.device("cpu"))
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            for start in range(0, len(pixels), BATCH):
                part = slice(start, start + BATCH)
                batch = pixels[part] if change is None else change(pixels[part])
                grey = torch.from_numpy(np.array(batch)).unsqueeze(1)
                features[part] = self.network.features(grey).float().numpy()
        return features
