"""What every layout takes and returns."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ...config import ManifestOptions

if TYPE_CHECKING:
    import pandas as pd

# Names that people give to the parts of a data set -> ours.
SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "val": "valid",
    "valid": "valid",
    "validate": "valid",
    "validation": "valid",
    "dev": "valid",
    "test": "test",
    "testing": "test",
}


@dataclass(frozen=True)
class LayoutTable:
    """A data set as its layout describes it, before it is tidied.

    `table` has `path` (relative to `root`, with `/`) and either `label` (text) or, when
    `label_columns` is not empty, one column of 1.0/0.0/NaN for each of these; besides whatever
    else is known of an image. `patient_source` says where the column `patient` comes from.
    """

    table: pd.DataFrame
    root: Path
    label_columns: tuple[str, ...] = ()
    patient_source: str | None = None


class Layout(Protocol):
    """A module of this package: one way in which data sets lie on a disk."""

    def recognises(self, data: Path, options: ManifestOptions) -> bool: ...

    def read(self, data: Path, options: ManifestOptions) -> LayoutTable: ...
