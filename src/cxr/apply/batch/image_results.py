"""Files for each image: its heat map as a PNG, or its DICOM results, in a resumable folder."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from ..._io import atomic_path
from ..._io.extras import needed_for
from ...pixels import load_grey, resize
from ..explain.overlay import draw_overlay, headline_of, onto_image
from ..explain.places import heat_places
from ..predictor import Predictor
from .folder import ResumableFolder
from .image_list import ImageList
from .run import describe_job

MAX_SIDE = 1024  # pixels of a drawn image
MAX_NAME = 120  # characters
HEAT_MAP_SUFFIX = ".heat.png"
DICOM_PATTERNS = ("*-report.dcm", "*-heatmap.dcm")


def explain_files(predictor: Predictor, files: Sequence[Path], folder: Path | str) -> list[Path]:
    """Writes a PNG for each readable file into `folder`, in order; returns what was written.

    Image and heat map side by side, with the decision and its calibrated probability. A file that
    cannot be read is skipped and its reason said. After an error, or when the process was killed,
    the same call goes on. Raises UsageError when `folder` holds anything but this work unfinished.
    """
    files = ImageList(files)
    with heat_map_folder(predictor, files, Path(folder)) as work:
        draw_heat_maps(predictor, files, work)
    return [path for name in heat_map_names(files) if (path := Path(folder) / name).exists()]


def heat_map_folder(
    predictor: Predictor, files: ImageList, folder: Path, *, restart: bool = False
) -> ResumableFolder:
    job = describe_job(predictor, files)
    return ResumableFolder(folder, job, [f"*{HEAT_MAP_SUFFIX}"], restart=restart)


def draw_heat_maps(predictor: Predictor, files: ImageList, work: ResumableFolder) -> None:
    """Those that are not there yet, under their `heat_map_names`."""

    def draw(file: Path, name: str) -> None:
        png = explain_file(predictor, file)
        with atomic_path(work.folder / name) as temporary:
            temporary.write_bytes(png)

    work.fill("heat map", files, draw, heat_map_names(files))


def explain_file(predictor: Predictor, file: Path) -> bytes:
    """A PNG of one image beside its heat map. Raises ImageError."""
    (pixels, frame), image = predictor.framed(file), _shrunk(load_grey(file))
    (prediction,) = predictor.predictions(pixels[None], frames=[frame])
    index = predictor.rules.class_of_interest(list(prediction.calibrated.values()))
    heat, name, _ = predictor.heat_map(pixels, index)
    method = predictor.config.resize_method
    places = heat_places(image, heat, method, frame.box)
    heat = onto_image(heat, image.shape, method, frame.box)
    warning = prediction.caution if prediction.status != "confident" else ""
    headline = headline_of(prediction, name)
    outside = None if places is None else places.outside_lungs
    return draw_overlay(image, heat, headline, name, warning, frame.box, outside)


def _shrunk(grey: np.ndarray) -> np.ndarray:
    shrink = max(*grey.shape, MAX_SIDE) / MAX_SIDE
    height, width = (max(1, round(side / shrink)) for side in grey.shape)
    return resize(grey, (height, width))


def heat_map_names(files: Iterable[Path]) -> Iterator[str]:
    """A file name for each, safe on every system and different from all others."""
    taken: set[str] = set()
    tried: dict[str, int] = {}  # so that a million files of one name are not compared with all
    for file in files:
        stem = re.sub(r"[^\w.-]+", "_", file.name)[:MAX_NAME]
        folded = stem.casefold()
        n = tried.get(folded, 0) + 1
        name = f"{stem}{HEAT_MAP_SUFFIX}" if n == 1 else f"{stem}-{n}{HEAT_MAP_SUFFIX}"
        while name.casefold() in taken:
            n += 1
            name = f"{stem}-{n}{HEAT_MAP_SUFFIX}"
        tried[folded] = n
        taken.add(name.casefold())
        yield name


def dicom_folder(
    predictor: Predictor, files: ImageList, folder: Path, *, restart: bool = False
) -> ResumableFolder:
    """Raises UsageError now, not after all predictions, when a library is missing."""
    with needed_for("DICOM results"):
        import highdicom  # noqa: F401
    return ResumableFolder(folder, describe_job(predictor, files), DICOM_PATTERNS, restart=restart)


def write_dicom(predictor: Predictor, files: ImageList, work: ResumableFolder) -> None:
    """`dicom.write_results` of those that have none yet; other files than DICOM are said."""
    from ..dicom import write_results

    def write(file: Path, _: str) -> None:
        write_results(predictor, file, work.folder)

    work.fill("DICOM result", files, write, ("" for _ in files))
