"""The split that the data set's folders make, such as `train/` and `val/`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from .common import Labels, Split, by_name

VALID_NAMES = ("valid", "val", "validation")


@dataclass(frozen=True)
class FolderSplitter:
    """By the name of the folder above the class folder, as fast.ai's `GrandparentSplitter`.

    `valid=None` takes any of the usual names: valid, val, validation. Items in other folders
    (`test`) are on neither side. With the default names, a manifest's own `splits` go before the
    folder names: it knows folders at any depth. Raises DataError when one side is empty.
    """

    train: str = "train"
    valid: str | None = None

    def __call__(
        self,
        items: Sequence[Any],
        labels: Labels | None = None,
        patients: Sequence[str | None] | None = None,
        splits: Sequence[str | None] | None = None,
    ) -> Split:
        if splits is None or (self.train, self.valid) != ("train", None):
            splits = [PurePath(item).parent.parent.name for item in items]
        valid_names = VALID_NAMES if self.valid is None else (self.valid,)
        return by_name(splits, self.train, valid_names, patients, "the folders above the classes")
