"""A lung frame that is known beforehand, and its line in a picture."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cxr.apply.predictor import Predictor
from cxr.pixels import LungFrame
from cxr.pixels.frame import Finding
from cxr.pixels.load import load_grey
from cxr.pixels.resize import cut

BOX = (0.25, 0.125, 0.75, 0.875)
SCORE = 0.9375
LINE = (53, 208, 240)


def find_lungs(monkeypatch: pytest.MonkeyPatch, finding: Finding = "lungs") -> LungFrame:
    """From now on every predictor finds the same frame in every image: BOX, or without lungs the
    whole image."""
    frame = LungFrame(*(BOX if finding == "lungs" else (0.0, 0.0, 1.0, 1.0)), SCORE, finding)

    def framed(self: Predictor, item: Any) -> tuple[np.ndarray, LungFrame]:
        return cut(load_grey(item), frame.box, self.config.size, self.config.resize_method), frame

    monkeypatch.setattr(Predictor, "framed", framed)
    return frame


def frame_line(pixels: np.ndarray, tolerance: int = 5) -> np.ndarray:
    """Where the line of the frame is in RGB or RGBA uint8 (H, W, c); nothing else has it."""
    apart = np.abs(pixels[..., :3].astype(int) - LINE)
    return np.asarray((apart < tolerance).all(axis=2))
