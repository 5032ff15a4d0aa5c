"""The manifest: a table with one row for each image, the first file that rooms hand over."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from .._io import atomic_path
from .._io.text import counted
from ..config import ManifestOptions
from ..errors import DataError, UsageError
from .identity import add_patients
from .layouts import read_layout
from .layouts.dicom_headers import with_headers, without_patient_folders
from .tidy import tidy_labels

COLUMNS = ("path", "label", "patient", "study", "split", "view", "age", "sex", "site")
PUT_INTO_CLASSES = "put each class into its own folder or give a CSV with --label-column"


@dataclass(frozen=True, eq=False)
class Manifest:
    """What images there are.

    table: `path` (relative to `root`, with `/`), `patient` (None where not known), `label` (text)
        or, when `multi_label`, a column of 1.0/0.0/NaN for each class; `study`, `split`, `view`,
        `age` (years), `sex`, `site` and the user's other columns where there are any.
    identity: one sentence on where the patients come from.
    left_out: path -> kind of the DICOM files that hold no image and have no row.
    """

    table: pd.DataFrame
    root: Path
    classes: tuple[str, ...]
    multi_label: bool
    identity: str
    left_out: Mapping[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.table)

    def paths(self) -> list[Path]:
        """Absolute paths, in the order of the rows."""
        root = self.root.absolute()
        return [root / path for path in self.table["path"]]

    def labels(self) -> list[str] | npt.NDArray[np.float32]:
        """The class of each image, or the (n, classes) flags when `multi_label`."""
        return self.targets() if self.multi_label else self.table["label"].tolist()

    def targets(self) -> npt.NDArray[Any]:
        """(n,) int64 positions in `classes`; when `multi_label`, (n, classes) float32 with NaN.

        Raises DataError when the images have no labels.
        """
        if self.multi_label:
            return self.table[list(self.classes)].to_numpy(np.float32)
        if self.table["label"].isna().any():
            raise DataError(f"the images under {self.root} have no labels; {PUT_INTO_CLASSES}")
        return pd.Categorical(self.table["label"], list(self.classes)).codes.astype(np.int64)

    def patients(self) -> list[str | None]:
        """The patient of each image, None where not known."""
        return self._column("patient")

    def splits(self, column: str = "split") -> list[str | None] | None:
        """What the table says of the split; None where it has no such column."""
        return self._column(column) if column in self.table else None

    def select(self, rows: Sequence[int] | Sequence[bool] | npt.NDArray[Any]) -> Manifest:
        """The manifest of some rows: positions, or a mask with an entry for each row."""
        picked = np.asarray(rows)
        if picked.size == 0:
            picked = picked.astype(np.int64)
        return replace(self, table=self.table.iloc[picked].reset_index(drop=True))

    def with_split(self, **parts: Sequence[int]) -> Manifest:
        """`with_split(train=[0, 2], valid=[1])`: the column `split` set for these rows.

        Rows that are in no part have no split. Raises UsageError when a row is in two parts.
        """
        split: list[str | None] = [None] * len(self)
        for name, rows in parts.items():
            for row in rows:
                if split[row] is not None:
                    raise UsageError(f"row {row} is in two parts, {split[row]!r} and {name!r}")
                split[row] = name
        return replace(self, table=self.table.assign(split=pd.Series(split, dtype=object)))

    def write(self, path: Path | str) -> Path:
        """Writes the table as .csv, .tsv or .parquet, whole or not at all.

        Paths stay relative to `root`: read it again with `read_manifest(path, image_root=root)`.
        """
        path = Path(path)
        if path.suffix not in (".csv", ".tsv", ".parquet"):
            raise UsageError(f"cannot write {path}: a manifest is .csv, .tsv or .parquet")
        table = self.table
        if self.multi_label:
            table = table.astype(dict.fromkeys(self.classes, "Int64"))
        with atomic_path(path) as temporary:
            if path.suffix == ".parquet":
                table.to_parquet(temporary, index=False)
            else:
                separator = "," if path.suffix == ".csv" else "\t"
                table.to_csv(temporary, index=False, sep=separator, lineterminator="\n")
        return path

    def fingerprint(self) -> str:
        """SHA-256 of the sorted (path, label) rows: the same images with the same labels."""
        names = list(self.classes) if self.multi_label else ["label"]
        cells = [["" if pd.isna(cell) else cell for cell in self.table[name]] for name in names]
        lines = sorted(map(json.dumps, zip(self.table["path"], *cells, strict=True)))
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def _column(self, name: str) -> list[str | None]:
        return [None if pd.isna(value) else str(value) for value in self.table[name]]


def read_manifest(
    data: Path | str,
    options: ManifestOptions | None = None,
    *,
    classes: Sequence[str] | None = None,
    **single: Any,
) -> Manifest:
    """The manifest of a folder, or of a .csv, .tsv or .parquet table.

    options: what the columns and file names mean; `single` ones may be given by their names
        instead, as in `read_manifest("labels.csv", label_column="finding")`.
    classes: the only labels allowed, in this order; by default the sorted labels.

    Raises UsageError for a path, column or pattern that is not there, DataError when there is no
    image, ManifestError when the table contradicts itself or the files.
    """
    options = replace(options or ManifestOptions(), **single)
    listed, headers, without_image = with_headers(read_layout(Path(data), options))
    listed = without_patient_folders(listed, headers)
    table, names = tidy_labels(listed, classes)
    table, identity = add_patients(listed, table, headers, options.patient_pattern)
    return Manifest(
        _ordered(table), listed.root, names, bool(listed.label_columns), identity, without_image
    )


def require_trainable(manifest: Manifest) -> None:
    """Raises DataError unless there are classes to tell apart, each with two patients at least.

    One patient's images cannot be on both sides of a split, so a class with a single patient can
    be learned or measured, but not both.
    """
    if not manifest.multi_label and manifest.table["label"].isna().all():
        raise DataError(f"none of {len(manifest):,} images has a label; {PUT_INTO_CLASSES}")
    if not manifest.multi_label and len(manifest.classes) < 2:
        raise DataError(
            f"only one class ({', '.join(manifest.classes)}); training needs at least two: "
            f"{PUT_INTO_CLASSES}"
        )
    for name in manifest.classes:
        for value in (1.0, 0.0) if manifest.multi_label else (name,):
            _require_two_patients(manifest, name, value)


def _require_two_patients(manifest: Manifest, name: str, value: object) -> None:
    column = name if manifest.multi_label else "label"
    patients = manifest.table.loc[manifest.table[column] == value, "patient"]
    n_patients = patients.nunique() + int(patients.isna().sum())
    if n_patients < 2:
        what = f"class {name!r}" + (" = 0" if value == 0.0 else "")
        raise DataError(
            f"{what} has {counted(len(patients), 'image')} of {counted(n_patients, 'patient')}; "
            "training and validation need at least one patient each: add images of other "
            "patients or leave the class out"
        )


def _ordered(table: pd.DataFrame) -> pd.DataFrame:
    first = [name for name in COLUMNS if name in table]
    return table[[*first, *(name for name in table if name not in first)]]
