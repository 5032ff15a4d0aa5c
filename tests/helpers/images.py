"""Images of noise, different in each file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image


def noise_image() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 40), dtype=np.uint8))


class NoiseImages:
    """`images("A/1.png", "B/2.png")` writes them under the folder, and gives it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.rng = folder, np.random.default_rng(5)

    def __call__(self, *names: str, side: int = 32) -> Path:
        for name in names:
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            grey = self.rng.integers(0, 256, (side, side), dtype=np.uint8)
            Image.fromarray(grey).save(path)
        return self.folder
