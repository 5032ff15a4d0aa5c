"""A CSV, TSV or Parquet file with a row for each image, or a folder with a `manifest.csv`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ...config import ManifestOptions
from ...errors import ManifestError
from .base import LayoutTable
from .columns import descriptions, find_column, path_column
from .labels import read_labels
from .locate import locate
from .table_file import read_frame

if TYPE_CHECKING:
    import pandas as pd

INSIDE = "manifest.csv"


def recognises(data: Path, options: ManifestOptions) -> bool:
    return (data / INSIDE).is_file()


def read(data: Path, options: ManifestOptions) -> LayoutTable:
    """Image paths start from `options.image_root`, or from the folder of the table."""
    table = data / INSIDE if data.is_dir() else data
    return from_frame(read_frame(table), table, options)


def from_frame(frame: pd.DataFrame, table: Path, options: ManifestOptions) -> LayoutTable:
    """Finds the columns by `options` or by their names; other columns stay as they are."""
    import pandas as pd

    root = Path(options.image_root or table.parent)
    path = path_column(frame, options.path_column, str(table))
    if frame[path].isna().any():
        blank = int(frame[path].isna().sum())
        raise ManifestError(f"{table}: {blank:,} rows name no image in the column {path!r}")
    patient = find_column(frame.drop(columns=path), "patient", options.patient_column)
    free = frame.drop(columns=[path] if patient is None else [path, patient])
    chosen = [options.label_column, *(options.label_columns or ())]
    described, sources = descriptions(free.drop(columns=chosen, errors="ignore"))
    labels = read_labels(free.drop(columns=sources), options, str(table))

    known = pd.concat([labels.table, described], axis=1)
    known.insert(0, "path", locate(frame[path], root, str(table), options.follow_links))
    if patient is not None:
        known["patient"] = frame[patient]
    rest = free.drop(columns=[*sources, *labels.sources]).drop(columns=known, errors="ignore")
    source = None if patient is None else f"the column {patient!r}"
    return LayoutTable(pd.concat([known, rest], axis=1), root, labels.classes, source)
