"""The first post's data object: `ImageDataBunch.from_folder`."""

from __future__ import annotations

from pathlib import Path

from ..errors import UsageError
from ..find.manifest import read_manifest
from .augment import Augmentation
from .from_manifest import dataloaders_from_manifest
from .loaders import DataLoaders, Splitter
from .resize import Resize
from .split import FolderSplitter, RandomSplitter


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
        splitter: Splitter = FolderSplitter(train, valid)
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
