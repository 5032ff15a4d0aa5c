"""Negative predictive value: images without the finding among those decided to be without."""

from __future__ import annotations

from .metric import proportion
from .sample import Binary, Mask


def _parts(sample: Binary) -> tuple[Mask, Mask]:
    return ~sample.truth, ~sample.positive


NPV = proportion("npv", _parts, "no image was decided negative")
