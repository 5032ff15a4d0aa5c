"""Cleared among images without the finding (true negative rate)."""

from __future__ import annotations

from .metric import proportion
from .sample import Binary, Mask


def _parts(sample: Binary) -> tuple[Mask, Mask]:
    return ~sample.positive, ~sample.truth


SPECIFICITY = proportion("specificity", _parts, "every image has the finding")
