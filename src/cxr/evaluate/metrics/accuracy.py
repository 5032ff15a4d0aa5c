"""Images decided rightly."""

from __future__ import annotations

import numpy as np

from .metric import proportion
from .sample import Mask, Sample


def _parts(sample: Sample) -> tuple[Mask, Mask]:
    return sample.correct, np.ones_like(sample.correct)


ACCURACY = proportion("accuracy", _parts)
