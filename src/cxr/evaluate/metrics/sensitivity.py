"""Found among images with the finding (recall, true positive rate)."""

from __future__ import annotations

from .metric import proportion
from .sample import Binary, Mask


def _parts(sample: Binary) -> tuple[Mask, Mask]:
    return sample.positive, sample.truth


SENSITIVITY = proportion("sensitivity", _parts, "no image has the finding")
