"""Images with the finding among all images of the sample."""

from __future__ import annotations

import numpy as np

from .metric import proportion
from .sample import Binary, Mask


def _parts(sample: Binary) -> tuple[Mask, Mask]:
    return sample.truth, np.ones_like(sample.truth)


PREVALENCE = proportion("prevalence", _parts)
