"""Heat maps as pictures: a film beside what was found on it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..._io import Progress, atomic_path, say
from ...errors import ImageError, UsageError
from ...evaluate.figures.style import shorten
from ...pixels import load_grey, resize
from ..overlay import draw_overlay, onto_film
from ..predictor import Predictor
from .cam import asked, calibrated, heat_map

MAX_SHOWN = 1024  # pixels a side of a drawn film
MAX_NAME = 120


def explain_files(predictor: Predictor, files: Sequence[Path], folder: Path | str) -> list[Path]:
    """Writes a PNG for each readable file into `folder`, in order; returns what was written.

    Film and heat map side by side, with the decision and its calibrated probability. A file that
    cannot be read is skipped and its reason said. Raises UsageError when `folder` is not empty.
    """
    folder = Path(folder)
    require_empty(folder)
    written = []
    with Progress("explaining", len(files)) as progress:
        for file, name in zip(files, overlay_names(files), strict=True):
            try:
                picture = explain_file(predictor, file)
            except ImageError as error:
                say(f"no heat map: {error}")
            else:
                with atomic_path(folder / name) as temporary:
                    temporary.write_bytes(picture)
                written.append(folder / name)
            progress.advance()
    return written


def require_empty(folder: Path) -> None:
    """Nothing is ever written over: a folder of heat maps must be new or empty."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is not an empty folder; choose a new one for the heat maps")


def explain_file(predictor: Predictor, file: Path) -> bytes:
    """One picture, as PNG. Raises ImageError."""
    pixels, film = predictor.pixels(file), _shown(load_grey(file))
    chances = calibrated(predictor, pixels)
    index = asked(predictor, chances)
    heat = heat_map(predictor, pixels, index)
    heat = onto_film(heat, film.shape, predictor.config.resize_method)
    return draw_overlay(film, heat, _headline(predictor, chances, index), predictor.vocab[index])


def _headline(predictor: Predictor, chances: list[float], index: int) -> str:
    """`NORMAL: probability of PNEUMONIA 0.312, threshold 0.518`."""
    config = predictor.config
    decision = shorten(predictor.decision(chances) or "nothing found", 60)
    line = f"{decision}: probability of {shorten(config.classes[index])} {chances[index]:.3f}"
    binary = config.positive is not None and len(config.classes) == 2 and not config.multi_label
    return f"{line}, threshold {config.threshold:.3f}" if binary else line


def _shown(grey: np.ndarray) -> np.ndarray:
    shrink = max(*grey.shape, MAX_SHOWN) / MAX_SHOWN
    height, width = (max(1, round(side / shrink)) for side in grey.shape)
    return resize(grey, (height, width))


def overlay_names(files: Sequence[Path]) -> list[str]:
    """A file name for each, safe on every system and different from all others."""
    names: list[str] = []
    taken: set[str] = set()
    for file in files:
        stem = re.sub(r"[^\w.-]+", "_", file.name)[:MAX_NAME]
        name, n = f"{stem}.heat.png", 1
        while name.casefold() in taken:
            n += 1
            name = f"{stem}-{n}.heat.png"
        taken.add(name.casefold())
        names.append(name)
    return names
