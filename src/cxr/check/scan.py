"""Every file read once: what the checks know of a data set."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .._io import Progress
from ..errors import ImageError
from ..pixels import (
    WHOLE,
    LungFrame,
    Overview,
    StoredFacts,
    available_cpus,
    load_overview,
    locate_lungs,
    locate_many,
    map_in_order,
    release,
    resize,
)
from ..pixels.resize import cut
from .methods.text_detection import Box, text_regions

if TYPE_CHECKING:
    from ..backbones import FeatureExtractor
    from ..find import Manifest

SIDE = 128
IN_MEMORY = 256 * 1024**2  # bytes of squares; more lie in a temporary file
COMPONENTS, FIT_ROWS = 64, 5_000
BLOCK = 2048  # rows between two releases of mapped pages


@dataclass(frozen=True)
class FileFacts:
    """One file. `height`, `width` and `pixels` are None, and `error` says why, if it is unreadable.

    pixels: digest of the grey image: equal for equal images, however they are stored. Of
        large images it is that of a reduced copy, and their size.
    stored, colour: see `cxr.pixels.overview`. text: lines of letters that seem to be burnt in, in
        pixels of the reduced copy.
    """

    bytes: int | None
    height: int | None = None
    width: int | None = None
    pixels: str | None = None
    error: str | None = None
    stored: StoredFacts | None = None
    colour: float = 0.0
    text: Sequence[Box] = field(default_factory=tuple)


class _Read(NamedTuple):
    facts: FileFacts
    square: np.ndarray | None = None
    cut: np.ndarray | None = None
    frame: LungFrame = WHOLE


@dataclass(frozen=True, eq=False)
class Scan:
    """The manifest, and the facts and pixels of its files in the same order.

    squares: uint8 (n, SIDE, SIDE), each whole image squashed to a square; zeros where unreadable.
        Of a large set they lie in a file: go through them in blocks.
    frames: where the lungs lie on each image. cut: as `squares`, each image cut to its frame, as
        training sees it by default. Both empty where nobody looked for lungs.
    """

    manifest: Manifest
    files: Sequence[FileFacts]
    squares: np.ndarray
    frames: Sequence[LungFrame] = ()
    cut: np.ndarray = field(default_factory=lambda: _empty_squares(0))

    @cached_property
    def after_cut(self) -> Scan:
        """The same images as the lung frame leaves them, with the lungs found anew on these."""
        frames: list[LungFrame] = []
        for start in range(0, len(self.cut), BLOCK):
            frames += locate_many(self.cut[start : start + BLOCK])
            release(self.cut)
        return replace(self, squares=self.cut, frames=frames)

    @cached_property
    def names(self) -> list[str]:
        """Paths relative to the data set, as the manifest has them."""
        return self.manifest.table["path"].tolist()

    @cached_property
    def readable(self) -> npt.NDArray[np.bool_]:
        return np.array([facts.error is None for facts in self.files], dtype=bool)

    @cached_property
    def label_columns(self) -> list[str]:
        """Where the table holds the labels; empty when there are none."""
        names = list(self.manifest.classes) if self.manifest.multi_label else ["label"]
        return [name for name in names if self.manifest.table[name].notna().any()]

    @cached_property
    def groups(self) -> npt.NDArray[np.int64]:
        """(n,) whose image each is, as a number; one of an unknown patient stands by itself."""
        names = [
            f"image {row}" if patient is None else f"patient {patient}"
            for row, patient in enumerate(self.manifest.patients())
        ]
        return np.unique(np.array(names, dtype=str), return_inverse=True)[1]

    @cached_property
    def flags(self) -> npt.NDArray[np.float32]:
        """(n, classes) 1 where an image is of the class, 0 where not, NaN where not known."""
        targets = self.manifest.targets()
        if self.manifest.multi_label:
            return targets
        return np.eye(len(self.manifest.classes), dtype=np.float32)[targets]

    def n_groups(self, rows: npt.NDArray[Any]) -> int:
        """How many patients (or single images) are among `rows`, a mask or row numbers."""
        return len(np.unique(self.groups[rows]))

    @property
    def counted(self) -> str:
        """What `groups` counts: patients, or images where no patient is known."""
        return "patients" if any(self.manifest.patients()) else "images"

    @property
    def extractor(self) -> FeatureExtractor:
        return _extractor()

    @cached_property
    def features(self) -> npt.NDArray[np.float32]:
        """(n, d) of the frozen backbone; NaN where unreadable."""
        features = np.full((len(self.files), self.extractor.n_features), np.nan, np.float32)
        with Progress("looking", len(features)) as progress:
            for start in range(0, len(features), BLOCK):
                rows = start + np.flatnonzero(self.readable[start : start + BLOCK])
                features[rows] = self.extractor(self.squares[rows])
                release(self.squares)
                progress.advance(min(BLOCK, len(features) - start))
        return features

    @cached_property
    def components(self) -> npt.NDArray[np.float32]:
        """(n, at most COMPONENTS) principal components of the features; NaN where unreadable."""
        from sklearn.decomposition import PCA

        rows = np.flatnonzero(self.readable)
        some = np.random.default_rng(0).permutation(rows)[:FIT_ROWS]
        pca = PCA(min(COMPONENTS, len(some)), random_state=0).fit(self.features[some])
        components = np.full((len(self.files), pca.n_components_), np.nan, np.float32)
        components[rows] = pca.transform(self.features[rows])
        return components


def scan(manifest: Manifest, *, workers: int | None = None) -> Scan:
    """Reads every file to its last byte. `workers` threads, default one a CPU."""
    squares, cuts = _empty_squares(len(manifest)), _empty_squares(len(manifest))
    facts, frames = [], []
    with Progress("reading", len(manifest)) as progress:
        done = map_in_order(_read, manifest.paths(), workers or available_cpus())
        for row, one in enumerate(done):
            facts.append(one.facts)
            frames.append(one.frame)
            if one.square is not None:
                squares[row], cuts[row] = one.square, one.cut
            if row % BLOCK == 0:
                release(squares)
                release(cuts)
            progress.advance()
    return Scan(manifest, facts, squares, frames, cuts)


def file_facts(path: Path) -> FileFacts:
    return _read(path).facts


@cache
def _extractor() -> FeatureExtractor:
    from ..backbones import FeatureExtractor

    return FeatureExtractor(SIDE)


def _empty_squares(n: int) -> np.ndarray:
    if n * SIDE**2 <= IN_MEMORY:
        return np.zeros((n, SIDE, SIDE), np.uint8)
    with tempfile.TemporaryFile() as file:
        return np.memmap(file, np.uint8, "w+", shape=(n, SIDE, SIDE))


def _read(path: Path) -> _Read:
    size = file_size(path)
    try:
        overview = load_overview(path)
    except ImageError as error:
        return _Read(FileFacts(size, error=error.reason))
    facts = FileFacts(
        size,
        overview.height,
        overview.width,
        _digest(overview),
        stored=overview.stored,
        colour=overview.colour,
        text=text_regions(overview.grey),
    )
    frame = locate_lungs(overview.grey)
    return _Read(facts, resize(overview.grey, SIDE), cut(overview.grey, frame.box, SIDE), frame)


def _digest(overview: Overview) -> str:
    digest = hashlib.blake2b(f"{overview.height}x{overview.width}".encode(), digest_size=16)
    digest.update(overview.grey.data)
    return digest.hexdigest()


def file_size(path: Path) -> int | None:
    """In bytes; None where there is no such file, or none that may be looked at."""
    try:
        return path.stat().st_size
    except (OSError, ValueError):
        return None
