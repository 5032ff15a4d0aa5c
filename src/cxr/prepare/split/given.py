"""The split that comes with the data: its folders, such as `train/` and `val/`, or a column."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from ..._io import say
from ...errors import DataError, UsageError
from ...find.layouts.columns import split_name
from .base import Labels, Patients, Split, Splitter, say_shared_patients

VALID_NAMES = ("valid", "val", "validation")
TOO_FEW = 100  # images; below it the 95 % interval of an accuracy can be 20 points wide


class GivenSplitter(Splitter):
    """By a name for each item, with a line on what makes the split unfit to measure with.

    Items of other names (test) are on neither side. Raises DataError when one side is empty.
    """

    train = "train"

    def __call__(
        self,
        items: Sequence[Any],
        labels: Labels | None = None,
        patients: Patients | None = None,
        splits: Sequence[str | None] | None = None,
    ) -> Split:
        names, valid_names, source = self.names(items, splits)
        train = [index for index, name in enumerate(names) if name == self.train]
        valid = [index for index, name in enumerate(names) if name in valid_names]
        if not train or not valid:
            there = ", ".join(sorted({name for name in names if name})[:8]) or "nothing"
            raise DataError(
                f"{source} give {len(train):,} training ({self.train}) and {len(valid):,} "
                f"validation ({' or '.join(valid_names)}) images; found: {there}; use "
                "PatientSplitter instead"
            )
        if len(valid) < TOO_FEW:
            say(
                f"n={len(valid)} validation images are too few to measure with: an accuracy from "
                f"them is uncertain by up to ±{98 / len(valid) ** 0.5:.0f} points; PatientSplitter "
                "holds out more"
            )
        say_shared_patients(train, valid, patients)
        return train, valid

    @abstractmethod
    def names(
        self, items: Sequence[Any], splits: Sequence[str | None] | None
    ) -> tuple[Sequence[str | None], Sequence[str], str]:
        """A name for each item, the names of the validation side, and where they come from."""


@dataclass(frozen=True)
class FolderSplitter(GivenSplitter):
    """By the name of the folder above the class folder, as fast.ai's `GrandparentSplitter`.

    `valid=None` takes any of the usual names: valid, val, validation. With the default names, a
    manifest's own `splits` go before the folder names: it knows folders at any depth.
    """

    train: str = "train"
    valid: str | None = None

    def names(
        self, items: Sequence[Any], splits: Sequence[str | None] | None
    ) -> tuple[Sequence[str | None], Sequence[str], str]:
        if splits is None or (self.train, self.valid) != ("train", None):
            splits = [PurePath(item).parent.parent.name for item in items]
        valid_names = VALID_NAMES if self.valid is None else (self.valid,)
        return splits, valid_names, "the folders above the classes"


@dataclass(frozen=True)
class ManifestSplitter(GivenSplitter):
    """By a column of the manifest that holds train, valid (or val) or test.

    The caller hands over that column as `splits`. Raises UsageError when there is none.
    """

    column: str = "split"

    def names(
        self, items: Sequence[Any], splits: Sequence[str | None] | None
    ) -> tuple[Sequence[str | None], Sequence[str], str]:
        if splits is None:
            raise UsageError(
                f"the data have no column {self.column!r} for ManifestSplitter: add it with train "
                "and valid in it, or use PatientSplitter"
            )
        names = [split_name(name) if name else None for name in splits]
        return names, ("valid",), f"the column {self.column!r}"
