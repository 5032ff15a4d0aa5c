"""Positive predictive value: images with the finding among those decided to have it (precision)."""

from __future__ import annotations

from .metric import proportion
from .sample import Binary, Mask


def _parts(sample: Binary) -> tuple[Mask, Mask]:
    return sample.truth, sample.positive


PPV = proportion("ppv", _parts, "no image was decided positive")
