"""Images decided wrongly: 1 - accuracy."""

from __future__ import annotations

import numpy as np

from .metric import proportion
from .sample import Mask, Sample


def _parts(sample: Sample) -> tuple[Mask, Mask]:
    return ~sample.correct, np.ones_like(sample.correct)


ERROR_RATE = proportion("error_rate", _parts)
