"""Heat maps as images: an image beside what was found on it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from ..._io import atomic_path
from ..._io.text import shorten
from ...bundle.task import Task
from ...pixels import load_grey, resize
from ..decision.prediction import Prediction
from ..explain.overlay import draw_overlay, onto_image
from ..predictor import Predictor
from .folder import GrowingFolder
from .listing import ImageList
from .run import job_of

MAX_SHOWN = 1024  # pixels a side of a drawn image
MAX_NAME = 120
ENDING = ".heat.png"


def explain_files(model: Predictor, files: Sequence[Path], folder: Path | str) -> list[Path]:
    """Writes a PNG for each readable file into `folder`, in order; returns what was written.

    Image and heat map side by side, with the decision and its calibrated probability. A file that
    cannot be read is skipped and its reason said. After an error, or when the process was killed,
    the same call goes on. Raises UsageError when `folder` holds anything but this work unfinished.
    """
    files = ImageList(files)
    with heat_folder(model, files, Path(folder)) as work:
        draw_heat_maps(model, files, work)
    return [path for name in image_names(files) if (path := Path(folder) / name).exists()]


def heat_folder(
    model: Predictor, files: ImageList, folder: Path, *, restart: bool = False
) -> GrowingFolder:
    return GrowingFolder(folder, job_of(model, files), [f"*{ENDING}"], restart=restart)


def draw_heat_maps(model: Predictor, files: ImageList, work: GrowingFolder) -> None:
    """Those that are not there yet, under their `image_names`."""

    def draw(file: Path, name: str) -> None:
        picture = explain_file(model, file)
        with atomic_path(work.folder / name) as temporary:
            temporary.write_bytes(picture)

    work.fill("heat map", files, draw, image_names(files))


def explain_file(model: Predictor, file: Path) -> bytes:
    """One image, as PNG. Raises ImageError."""
    pixels, film = model.pixels(file), _shown(load_grey(file))
    (prediction,) = model.predictions(pixels[None])
    index = model.rules.class_of_interest(list(prediction.calibrated.values()))
    heat, name, _ = model.heat_map(pixels, index)
    heat = onto_image(heat, film.shape, model.config.resize_method)
    warning = prediction.reason if prediction.confident is False else ""
    return draw_overlay(film, heat, _headline(model.rules.task, prediction, name), name, warning)


def _headline(task: Task, prediction: Prediction, name: str) -> str:
    """`NORMAL: probability of PNEUMONIA 0.312, threshold 0.518`."""
    decision = shorten(prediction.decision or "nothing found", 60)
    line = f"{decision}: probability of {shorten(name, 28)} {prediction.calibrated[name]:.3f}"
    return f"{line}, threshold {task.threshold:.3f}" if task.binary else line


def _shown(grey: np.ndarray) -> np.ndarray:
    shrink = max(*grey.shape, MAX_SHOWN) / MAX_SHOWN
    height, width = (max(1, round(side / shrink)) for side in grey.shape)
    return resize(grey, (height, width))


def overlay_names(files: Sequence[Path]) -> list[str]:
    """A file name for each, safe on every system and different from all others."""
    return list(image_names(files))


def image_names(files: Iterable[Path]) -> Iterator[str]:
    """The same, one after the other; what was given is remembered."""
    taken: set[str] = set()
    tried: dict[str, int] = {}  # so that a million files of one name are not compared with all
    for file in files:
        stem = re.sub(r"[^\w.-]+", "_", file.name)[:MAX_NAME]
        folded = stem.casefold()
        n = tried.get(folded, 0) + 1
        name = f"{stem}{ENDING}" if n == 1 else f"{stem}-{n}{ENDING}"
        while name.casefold() in taken:
            n += 1
            name = f"{stem}-{n}{ENDING}"
        tried[folded] = n
        taken.add(name.casefold())
        yield name
