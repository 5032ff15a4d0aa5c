"""Items, labels and a splitter become two loaders: train and valid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_args

import numpy as np

from .._io.text import counted
from ..config import FrameMode, ResizeMethod, require_one_of
from ..errors import DataError, UnknownName, UsageError
from .augment import Augmentation
from .batches import Batch, Batches
from .image_set import ImageSet
from .items import AnySplitter, Items, picked, split_items
from .order import AHEAD, Window

if TYPE_CHECKING:
    from ..pixels import DecodedSet


Options = TypeVar("Options")

WINDOW = 32
"""Shards that are mixed at once where not all fit into the cache (`docs/big.md`)."""


MIN_IMAGES = 2
"""On either side of a split: a normalisation over one image is none."""

METHODS = get_args(ResizeMethod)


@dataclass(frozen=True)
class Resize:
    """Square images of `size` pixels.

    `squish` (default) shows the whole image and stretches it, `pad` keeps its proportions with
    black borders, `crop` keeps them by cutting: it can cut lungs off, so it is no default here.
    `frame`: of the "whole" image, or of the image cut to the "lungs" (see `cxr.load_framed`).
    """

    size: int
    method: str = "squish"
    frame: FrameMode = "whole"

    def __post_init__(self) -> None:
        if not isinstance(self.size, int) or not 32 <= self.size <= 2048:
            raise UsageError(f"size {self.size!r} is not a whole number from 32 to 2048")
        if self.method not in METHODS:
            raise UsageError(f"resize method {self.method!r} is not one of {', '.join(METHODS)}")
        require_one_of("frame", self.frame, FrameMode)


@dataclass
class DataLoaders:
    """`train` and `valid` batches of one data set, with what a model must know of it."""

    train: Batches
    valid: Batches
    items: Items
    resize: Resize
    unreadable: dict[Path, str]
    seed: int
    path: Path = Path()

    @property
    def classes(self) -> tuple[str, ...]:
        return self.items.classes

    vocab = classes

    @property
    def c(self) -> int:
        return len(self.classes)

    @property
    def multi_label(self) -> bool:
        return self.items.multi_label

    def show_batch(self, **options: Any) -> object:
        """`show_batch(max_n=4, nrows=1)` or `show_batch(rows=3, figsize=(7, 6))` of `train`."""
        return self.train.show_batch(**options)

    def one_batch(self) -> Batch:
        return self.train.one_batch()

    def normalize(self, *_: object) -> DataLoaders:
        """The first fast.ai wanted ImageNet's statistics here; a backbone knows its own."""
        return self


def options_of(kind: type[Options], what: str, given: Mapping[str, Any]) -> Options:
    """The settings dataclass `kind` made of keywords. Raises UnknownName for one it lacks."""
    known = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    for name in given:
        if name not in known:
            raise UnknownName(what, name, known)
    return kind(**given)


@dataclass(frozen=True)
class LoaderOptions:
    """`seed` decides order and augmentation, `path` is the learner's folder.

    `window`: of how many shards training images are mixed at a time; 0 for all, None for all where
    they fit on this machine's disk.
    """

    bs: int = 64
    augmentation: Augmentation | None = None
    seed: int = 42
    path: Path | str = "."
    window: int | None = None

    def __post_init__(self) -> None:
        if self.bs < 2:
            raise UsageError(
                f"batch size {self.bs} is too small; BatchNorm needs at least 2 images"
            )


def make_dataloaders(
    items: Items,
    splitter: AnySplitter,
    resize: Resize,
    *,
    decoded: DecodedSet | None = None,
    **options: Any,
) -> DataLoaders:
    """Decodes every image once and splits them.

    Unreadable images are listed and left out, never deleted; the split is made before, so that
    one damaged file does not move the others to another side. `decoded`: the images, where that is
    done already. `options` are those of `LoaderOptions`.

    Raises UsageError for options or a split that cannot be, DataError where too many images are
    unreadable or too few are left.
    """
    from ..pixels import MAX_UNREADABLE, decode_all, report_unreadable

    chosen = options_of(LoaderOptions, "option of data loaders", options)
    sides = split_items(items, splitter)
    if decoded is None:
        decoded = decode_all(list(items.paths), resize.size, resize.method, frame=resize.frame)
    unreadable = report_unreadable(items.paths, decoded.errors, MAX_UNREADABLE)
    sets = []
    for name, side in zip(("train", "valid"), sides, strict=True):
        rows = side[decoded.ok[side]]
        require_enough(name, len(rows))
        sets.append(_image_set(items, decoded, rows))
    train, valid = sets
    mixed = window_over(train, chosen.window)
    return DataLoaders(
        train=Batches(train, chosen.bs, True, chosen.augmentation, seed=chosen.seed, window=mixed),
        valid=Batches(valid, chosen.bs, seed=chosen.seed),
        items=items,
        resize=resize,
        unreadable=unreadable,
        seed=chosen.seed,
        path=Path(chosen.path),
    )


def require_enough(side: str, n: int) -> None:
    """Raises DataError where `n` readable images are too few to train or to validate with."""
    if n < MIN_IMAGES:
        raise DataError(
            f"only {counted(n, 'readable image')} would be in {side}, and {MIN_IMAGES} at least "
            "are needed: add images or choose another split"
        )


def _image_set(items: Items, decoded: DecodedSet, rows: np.ndarray) -> ImageSet:
    return ImageSet(
        paths=picked(items.paths, rows),
        pixels=decoded.pixels,
        targets=items.targets[rows],
        patients=picked(items.patients, rows),
        classes=items.classes,
        rows=rows,
        frames=None if decoded.frames is None else decoded.frames[rows],
    )


def window_over(images: ImageSet, size: int | None) -> Window | None:
    """None where the order is over all images at once.

    Raises UsageError for a window where there are no shards, and for one that the cache cannot
    hold.
    """
    from ..pixels.shards.cache import LIMIT
    from ..pixels.shards.read import ShardedPixels

    pixels: Any = images.pixels
    if not isinstance(pixels, ShardedPixels):
        if size:
            raise UsageError(f"a window of {size} shards needs shards; cxr shards makes them")
        return None
    n_shards, capacity = len(pixels.index.counts), pixels.files.capacity
    all_fit = capacity is None or capacity >= n_shards
    width = size if size is not None else 0 if all_fit else WINDOW
    wanted = min(n_shards, width + AHEAD) if width else n_shards
    if capacity is not None and wanted > capacity:
        raise UsageError(
            f"the cache has room for {capacity} shards, {wanted} are needed at a time; set {LIMIT} "
            f"to at least {wanted * pixels.index.n_bytes(0) / 1e9:.1f}, or mix fewer"
        )
    if not width:
        return None
    return Window.over(pixels.shards_of(images.rows), n_shards, width, pixels.prefetch)
