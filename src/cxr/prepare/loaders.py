"""Items, labels and a splitter become two loaders: train and valid."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import DataError, UsageError
from .augment import Augmentation
from .batches import Batch, Batches, ImageSet
from .column import picked
from .order import AHEAD, Window
from .resize import Resize

if TYPE_CHECKING:
    from ..pixels import DecodedSet

Split = tuple[Sequence[int], Sequence[int]]
Splitter = Callable[..., Split]


WINDOW = 32
"""Shards that are mixed at once where not all fit into the cache (`docs/big.md`)."""


@dataclass(frozen=True)
class Items:
    """What is known of each image before its pixels are read. All sequences have one length."""

    paths: Sequence[Path]
    targets: np.ndarray  # int64 (n,) or float32 (n, k)
    classes: tuple[str, ...]
    patients: Sequence[str | None]
    splits: Sequence[str | None] | None = None

    @property
    def multi_label(self) -> bool:
        return self.targets.ndim == 2

    def __len__(self) -> int:
        return len(self.paths)


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


def split_items(items: Items, splitter: Splitter) -> tuple[np.ndarray, np.ndarray]:
    """Runs a splitter: ours get labels, patients and named splits too, a plain function the paths.

    Raises UsageError when a side is empty or an image is on both.
    """
    known = {"labels": items.targets, "patients": items.patients, "splits": items.splits}
    accepted = inspect.signature(splitter).parameters
    options = {name: value for name, value in known.items() if name in accepted}
    train, valid = (np.asarray(side, dtype=np.int64) for side in splitter(items.paths, **options))
    for name, side in (("train", train), ("valid", valid)):
        if len(side) == 0:
            raise UsageError(
                f"the split leaves no images in {name} ({len(items):,} images in all); "
                "choose another splitter or another share"
            )
    in_train = np.zeros(len(items), bool)
    in_train[train] = True
    both = len(set(valid[in_train[valid]].tolist()))
    if both:
        raise UsageError(f"the split puts {both:,} images on both sides; each belongs to one")
    return train, valid


def make_dataloaders(
    items: Items,
    splitter: Splitter,
    resize: Resize,
    *,
    bs: int = 64,
    augmentation: Augmentation | None = None,
    seed: int = 42,
    path: Path | str = ".",
    decoded: DecodedSet | None = None,
    window: int | None = None,
) -> DataLoaders:
    """Decodes every image once and splits them.

    Unreadable images are listed and left out, never deleted; the split is made before, so that
    one damaged file does not move the others to another side. `decoded`: the images, where that is
    done already. `window`: of how many shards training images are mixed at a time; 0 for all, None
    for all where they fit on this machine's disk.
    """
    from ..pixels import MAX_UNREADABLE, decode_all, report_unreadable

    if bs < 2:
        raise UsageError(f"batch size {bs} is too small; BatchNorm needs at least 2 images")
    sides = split_items(items, splitter)
    if decoded is None:
        decoded = decode_all(list(items.paths), resize.size, method=resize.method)
    unreadable = report_unreadable(items.paths, decoded.errors, MAX_UNREADABLE)
    sets = []
    for name, side in zip(("train", "valid"), sides, strict=True):
        rows = side[decoded.ok[side]]
        if len(rows) < 2:
            raise DataError(
                f"only {len(rows)} readable images are left in {name}; at least 2 needed"
            )
        sets.append(_image_set(items, decoded.pixels, rows))
    mixed = window_over(sets[0], window)
    return DataLoaders(
        train=Batches(sets[0], bs, True, augmentation, seed=seed, window=mixed),
        valid=Batches(sets[1], bs, seed=seed),
        items=items,
        resize=resize,
        unreadable=unreadable,
        seed=seed,
        path=Path(path),
    )


def _image_set(items: Items, pixels: np.ndarray, rows: np.ndarray) -> ImageSet:
    return ImageSet(
        paths=picked(items.paths, rows),
        pixels=pixels,
        targets=items.targets[rows],
        patients=picked(items.patients, rows),
        classes=items.classes,
        rows=rows,
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
    n_shards, room = len(pixels.index.counts), pixels.files.capacity
    all_fit = room is None or room >= n_shards
    width = size if size is not None else 0 if all_fit else WINDOW
    wanted = min(n_shards, width + AHEAD) if width else n_shards
    if room is not None and wanted > room:
        raise UsageError(
            f"the cache has room for {room} shards, {wanted} are needed at a time; set {LIMIT} "
            f"to at least {wanted * pixels.index.n_bytes(0) / 1e9:.1f}, or mix fewer"
        )
    if not width:
        return None
    return Window.over(pixels.shards_of(images.rows), n_shards, width, pixels.ahead)
