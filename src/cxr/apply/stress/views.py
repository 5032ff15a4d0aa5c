"""What the network sees of one image, plain and under each perturbation, as in a prediction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ...errors import ImageError
from ...pixels import LungFrame, load_grey, resize
from ..engine import Pixels
from ..predictor import Predictor
from .perturbations import Perturbation

LONGEST = 512
"""Larger images are reduced to so many pixels a side before they are changed: far more than the
network sees of them, and a fraction of the work."""


@dataclass(frozen=True)
class Setting:
    """One perturbation at one strength; `words` say how strong."""

    perturbation: Perturbation
    words: str

    def changed(self, image: Pixels, rng: np.random.Generator) -> Pixels:
        """Of one image (H, W)."""
        strength = self.perturbation.strengths[self.words]
        return self.perturbation.change(image[None], strength, rng)[0]


class Views(NamedTuple):
    """Of one image: uint8 (1 + settings, S, S), plain and then changed, and a frame for each."""

    pixels: Pixels
    frames: list[LungFrame]


def views_of(
    predictor: Predictor, path: Path, settings: Sequence[Setting], seed: Sequence[int]
) -> Views:
    """A model that sees lungs: the whole image is changed, and its lungs are looked for anew each
    time. A model of whole images: what it sees is changed.

    The generator starts anew for each setting, so that stronger noise is the same noise, stronger.
    Raises ImageError for an image that cannot be read.
    """
    lungs = predictor.config.frame == "lungs"
    image = _reduced(load_grey(path)) if lungs else predictor.pixels(path)
    changed = [one.changed(image, np.random.default_rng(seed)) for one in settings]
    pixels, frames = zip(*(predictor.framed(one) for one in (image, *changed)), strict=True)
    return Views(np.stack(pixels), list(frames))


def views_or_reason(
    predictor: Predictor, path: Path, settings: Sequence[Setting], seed: Sequence[int]
) -> Views | str:
    """As `views_of`, but the reason why a file cannot be read is returned, not raised."""
    try:
        return views_of(predictor, path, settings, seed)
    except ImageError as error:
        return error.reason


def _reduced(grey: Pixels) -> Pixels:
    """In proportion; images with a longer side of at most LONGEST stay as they are."""
    scale = LONGEST / max(grey.shape)
    if scale >= 1:
        return grey
    return resize(
        grey, (max(1, round(grey.shape[0] * scale)), max(1, round(grey.shape[1] * scale)))
    )
