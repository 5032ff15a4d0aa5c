"""What can be known of an image with little or no anatomy in it: a table of numbers for each cue.

Each function takes a Scan and the rows wanted (m,), and returns a table of m rows of numbers. A
classifier that tells the label from these has found a shortcut.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from itertools import combinations_with_replacement
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ...pixels import StoredFacts, available_cpus, map_in_order, read_dicom_facts, release
from ..scan import SIDE, Scan

RIM = SIDE // 16  # the outer pixels that count as border
CENTRE = slice(SIDE // 8, SIDE - SIDE // 8)  # three quarters a side: the lungs and the heart
AT_ONCE = 256
GREY = 118  # of the mask: about the mean of a radiograph
Rows = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.floating[Any]]

_ENDS = (slice(RIM), slice(-RIM, None))
_CORNERS = (slice(SIDE // 8), slice(-SIDE // 8, None))
_DICOM = ("manufacturer_model", "photometric_interpretation", "view_position", "bits_stored")


def framing(scan: Scan, rows: Rows) -> pd.DataFrame:
    """Where the lungs lie in the image and how large they are, with squares and products.

    The score of the frame is left out: white lungs lower it, and then it is the disease that tells.
    """
    boxes = np.array([scan.frames[row].box for row in rows])
    start, end = boxes[:, :2], boxes[:, 2:]
    values = np.concatenate([(start + end) / 2, end - start], axis=1) - 0.5
    single = dict(zip(("across", "down", "width", "height"), values.T, strict=True))
    pairs = combinations_with_replacement(single.items(), 2)
    products = {f"{one} x {other}": a * b for (one, a), (other, b) in pairs}
    return pd.DataFrame({**single, **products})


def file_facts(scan: Scan, rows: Rows) -> pd.DataFrame:
    """How the file was made: dimensions, size, format, compression, DICOM maker and tags.

    Unreadable files have no such facts: leave them out of `rows`.
    """
    return pd.DataFrame([_stored(scan, row) for row in rows]).fillna(0.0)


def _stored(scan: Scan, row: int) -> dict[str, float]:
    facts = scan.files[row]
    height, width, size = facts.height or 1, facts.width or 1, facts.bytes or 0
    stored = facts.stored or StoredFacts("")
    return {
        "width": width,
        "height": height,
        "aspect": width / height,
        "file size": size,
        "bytes per pixel": size / (height * width),
        "colour": facts.colour,
        "file format": number_of(stored.format),
        "bit depth": stored.bits,
        "channels": stored.channels,
        "JPEG tables": stored.quantisation,
        "chroma subsampling": stored.subsampling,
        "progressive": stored.progressive,
        "header size": stored.header,
        "header segments": stored.segments,
        **(_dicom_tags(scan.manifest.paths()[row]) if stored.format == "dicom" else {}),
    }


def _dicom_tags(path: Path) -> dict[str, float]:
    facts: Mapping[str, Any] = read_dicom_facts(path)
    return {f"DICOM {name.replace('_', ' ')}": number_of(str(facts[name])) for name in _DICOM}


def number_of(word: str) -> float:
    """A number for a word, the same in every process: trees split on it as on any other."""
    return float(zlib.crc32(word.encode()))


def statistics(scan: Scan, rows: Rows) -> pd.DataFrame:
    """15 figures of the whole image: level, contrast, sharpness, rim, percentiles."""
    return _table(scan, rows, _statistics)


def _statistics(pixels: np.ndarray) -> dict[str, Numbers]:
    grey = pixels.astype(np.float32)
    flat = grey.reshape(len(grey), -1)
    mean, contrast = flat.mean(1), flat.std(1) + 1e-3
    around = grey[:, :-2, 1:-1] + grey[:, 2:, 1:-1] + grey[:, 1:-1, :-2] + grey[:, 1:-1, 2:]
    sharpness = (4 * grey[:, 1:-1, 1:-1] - around).std((1, 2))
    ranked = np.sort(pixels.reshape(len(pixels), -1), axis=1, kind="stable")  # radix
    standard = (flat - mean[:, None]) / contrast[:, None]
    rim = _rim(grey)
    return {
        "mean": mean,
        "contrast": contrast,
        "skewness": np.einsum("ij,ij,ij->i", standard, standard, standard) / flat.shape[1],
        "sharpness": sharpness,
        "sharpness to contrast": sharpness / contrast,
        "gradient": np.abs(np.diff(grey, axis=2)).mean((1, 2)),
        "mean of the rim": rim.mean(1),
        "contrast of the rim": rim.std(1),
        "share of black": (flat <= 2).mean(1),
        "share of white": (flat >= 253).mean(1),
        **{
            f"percentile {percent}": ranked[:, round(percent / 100 * (ranked.shape[1] - 1))]
            for percent in (1, 10, 50, 90, 99)
        },
    }


def _rim(grey: Numbers) -> Numbers:
    parts = (*(grey[:, cut] for cut in _ENDS), *(grey[:, RIM:-RIM, cut] for cut in _ENDS))
    return np.concatenate([part.reshape(len(grey), -1) for part in parts], axis=1)


def borders(scan: Scan, rows: Rows) -> pd.DataFrame:
    """The outer sixteenth of each side, in 16 pieces, and the corners: level and contrast."""
    return _table(scan, rows, _borders)


def _borders(pixels: np.ndarray) -> dict[str, Numbers]:
    turned = pixels.swapaxes(1, 2)
    sides = {
        name: grey[:, cut].astype(np.float32).reshape(len(grey), RIM, 16, SIDE // 16)
        for pair, grey in ((("top", "bottom"), pixels), (("left", "right"), turned))
        for name, cut in zip(pair, _ENDS, strict=True)
    }
    measures = {
        f"{what} of the {name} border, piece {i + 1} of 16": values[:, i]
        for name, side in sides.items()
        for what, values in (("level", side.mean((1, 3))), ("contrast", side.std((1, 3))))
        for i in range(16)
    }
    for up, rows in zip(("top", "bottom"), _CORNERS, strict=True):
        for across, columns in zip(("left", "right"), _CORNERS, strict=True):
            corner = pixels[:, rows, columns].reshape(len(pixels), -1).astype(np.float32)
            measures[f"level of the {up} {across} corner"] = corner.mean(1)
            measures[f"contrast of the {up} {across} corner"] = corner.std(1)
    return measures


def thumbnail(scan: Scan, rows: Rows) -> pd.DataFrame:
    """The image in 8 x 8 pixels."""
    return _table(scan, rows, _thumbnail)


def _thumbnail(pixels: np.ndarray) -> dict[str, Numbers]:
    step = SIDE // 8
    small = pixels.reshape(len(pixels), 8, step, 8, step).mean((2, 4))
    return {f"row {i} column {j}": small[:, i, j] for i in range(8) for j in range(8)}


def surroundings(scan: Scan, rows: Rows) -> pd.DataFrame:
    """A pretrained network's features of the image with its centre masked."""

    def features(pixels: np.ndarray) -> dict[str, Numbers]:
        found = scan.extractor(pixels, change=masked).T
        return {f"feature {i}": values for i, values in enumerate(found)}

    return _table(scan, rows, features, workers=1)  # which uses all processors itself


def masked(pixels: np.ndarray) -> np.ndarray:
    """(m, SIDE, SIDE) with the middle three quarters of each side grey."""
    covered = np.array(pixels)
    covered[:, CENTRE, CENTRE] = GREY
    return covered


def _table(
    scan: Scan,
    rows: Rows,
    measure: Callable[[np.ndarray], dict[str, Numbers]],
    workers: int | None = None,
) -> pd.DataFrame:
    def part(start: int) -> pd.DataFrame:
        found = pd.DataFrame(measure(scan.squares[rows[start : start + AT_ONCE]]))
        release(scan.squares)
        return found

    starts = range(0, len(rows), AT_ONCE)
    parts = list(map_in_order(part, starts, workers or available_cpus()))
    return pd.concat(parts, ignore_index=True)
