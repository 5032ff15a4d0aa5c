"""fast.ai's data objects: DataBlock of the second post, ImageDataBunch of the first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError, UsageError
from ..find import read_manifest
from ..find.files import get_image_files, parent_label
from ..find.patients import patients_of
from .augment import Augmentation
from .from_manifest import dataloaders_from_manifest
from .items import AnySplitter, Items
from .loaders import DataLoaders, Resize, make_dataloaders
from .split import FolderSplitter, PatientSplitter, RandomSplitter

DEFAULT_SIZE = 224


@dataclass(frozen=True)
class Block:
    """What one side of an item is. `ImageBlock` and `ImageBlock()` mean the same, as in fast.ai."""

    kind: str

    def __call__(self) -> Block:
        return self


ImageBlock = Block("image")
CategoryBlock = Block("category")
MultiCategoryBlock = Block("multi-category")


@dataclass(frozen=True)
class DataBlock:
    """The second post's call, with its defaults; three things differ on purpose.

    The default splitter keeps a patient's images on one side, `Resize` squishes instead of cutting,
    and without `batch_tfms` nothing is augmented (as in fast.ai).
    """

    blocks: Sequence[Block] = (ImageBlock, CategoryBlock)
    get_items: Callable[[Any], Sequence[Path]] = get_image_files
    get_y: Callable[[Path], Any] = parent_label
    splitter: AnySplitter | None = None
    get_patient: Callable[[Path], str | None] | None = None
    item_tfms: Resize | Sequence[Resize] | None = None
    batch_tfms: Augmentation | None = None

    def __post_init__(self) -> None:
        kinds = tuple(getattr(block, "kind", block) for block in self.blocks)
        if kinds not in {("image", "category"), ("image", "multi-category")}:
            raise UsageError(
                f"blocks {kinds} are not known; use (ImageBlock, CategoryBlock) "
                "or (ImageBlock, MultiCategoryBlock)"
            )

    def dataloaders(
        self, source: Path | str, bs: int = 64, seed: int = 42, path: Path | str = "."
    ) -> DataLoaders:
        """Finds, labels, decodes and splits the images under `source`.

        `seed` decides order and augmentation, `path` is the learner's folder.
        Raises UsageError or DataError when there is nothing to train on.
        """
        return make_dataloaders(
            self.items(source),
            self.splitter or PatientSplitter(),
            self._resize(),
            bs=bs,
            augmentation=self.batch_tfms,
            seed=seed,
            path=path,
        )

    def items(self, source: Path | str) -> Items:
        paths = [Path(p) for p in self.get_items(source)]
        if not paths:
            raise DataError(f"no images under {source}; give a folder with image files")
        labels = [self.get_y(p) for p in paths]
        multi = self.blocks[1].kind == "multi-category"
        targets, classes = encode_sets(labels) if multi else encode_labels(labels)
        return Items(paths, targets, classes, self._patients(paths))

    def _patients(self, paths: Sequence[Path]) -> list[str | None]:
        if self.get_patient is not None:
            return [self.get_patient(p) for p in paths]
        return list(patients_of(paths))

    def _resize(self) -> Resize:
        chosen = self.item_tfms
        if isinstance(chosen, Sequence):
            if len(chosen) != 1:
                raise UsageError(f"item_tfms takes one Resize, not {len(chosen)} transforms")
            chosen = chosen[0]
        return chosen or Resize(DEFAULT_SIZE)


class ImageDataBunch:
    """fast.ai's first name for what `DataLoaders` is now."""

    @staticmethod
    def from_folder(
        path: Path | str,
        train: str = "train",
        valid: str | None = None,
        valid_pct: float | None = None,
        seed: int | None = 42,
        size: int = 128,
        bs: int = 64,
        ds_tfms: Augmentation | None = None,
        resize_method: str = "squish",
    ) -> DataLoaders:
        """Class folders under `path`, or under its `train` and `valid` (or `val`) folders.

        With `valid_pct` a random share is set aside (fast.ai's way: a patient may be on both
        sides, which is said). Raises UsageError or DataError when there is nothing to train on.
        """
        if seed is None:
            raise UsageError("give a seed: a run without one cannot be repeated")
        splitter: AnySplitter = FolderSplitter(train, valid)
        if valid_pct is not None:
            splitter = RandomSplitter(valid_pct, seed=seed)
        manifest = read_manifest(Path(path))
        return dataloaders_from_manifest(
            manifest,
            splitter,
            Resize(size, resize_method),
            bs=bs,
            augmentation=ds_tfms,
            seed=seed,
        )


def encode_labels(labels: Sequence[Any]) -> tuple[np.ndarray, tuple[str, ...]]:
    """Class indices int64 (n,) in sorted order of the names. Raises DataError for one class."""
    names = [str(label) for label in labels]
    classes = tuple(sorted(set(names)))
    if len(classes) < 2:
        raise DataError(
            f"all {len(names):,} images have one label ({', '.join(classes)}); "
            "a classifier needs at least two classes"
        )
    index = {name: i for i, name in enumerate(classes)}
    return np.array([index[name] for name in names], dtype=np.int64), classes


def encode_sets(labels: Sequence[Iterable[Any]]) -> tuple[np.ndarray, tuple[str, ...]]:
    """float32 (n, k) of 1 and 0 from a collection of label names for each image."""
    if any(isinstance(label, str) for label in labels):
        raise UsageError(
            "with MultiCategoryBlock get_y returns a list of label names, not a string"
        )
    sets = [{str(name) for name in label} for label in labels]
    classes = tuple(sorted(set().union(*sets)))
    if not classes:
        raise DataError("no image has any label; check get_y")
    targets = np.array([[name in one for name in classes] for one in sets], dtype=np.float32)
    return targets, classes
