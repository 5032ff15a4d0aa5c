"""The predictions table as a CSV file."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..._io import atomic_path
from ...errors import ManifestError, UsageError
from .checks import PROB, TRUE, check_columns
from .classes import default_positive
from .table import Predictions


def write_predictions(predictions: Predictions, path: Path | str) -> Path:
    """CSV, UTF-8; numbers are written so that they read back the same to the last bit."""
    with atomic_path(path) as temporary:
        predictions.table.to_csv(temporary, index=False, lineterminator="\n", encoding="utf-8")
    return Path(path)


def read_predictions(path: Path | str, positive: str | None = None) -> Predictions:
    """Reads what `write_predictions` wrote. `positive` as in `make_predictions`.

    Raises UsageError when there is no such file, ManifestError naming it when it is malformed.
    """
    path = Path(path)
    if not path.is_file():
        raise UsageError(f"{path} is not there; give a predictions_*.csv that cxr wrote")
    try:
        return _parse(_read_cells(path), positive)
    except (ValueError, csv.Error) as error:  # empty, not UTF-8, a quote left open
        raise ManifestError(f"{path} is not a predictions table ({error})") from error
    except ManifestError as error:
        raise ManifestError(f"{path}: {error}") from error


def _read_cells(path: Path) -> pd.DataFrame:
    """All cells as text. Not by pandas, which renames repeated columns and pads short rows."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        header, *rows = [row for row in csv.reader(file, strict=True) if row]
    repeated = sorted({name for name in header if header.count(name) > 1})
    if repeated:
        raise ManifestError(f"column {repeated[0]!r} is there twice; every column needs its name")
    for number, row in enumerate(rows, start=1):
        if len(row) != len(header):
            raise ManifestError(
                f"row {number} has {len(row)} cells where the header has {len(header)}; "
                "was the file cut short? Write it again"
            )
    return pd.DataFrame(rows, columns=header, dtype="str")


def _parse(table: pd.DataFrame, positive: str | None) -> Predictions:
    names = list(table.columns)
    classes = tuple(name.removeprefix(PROB) for name in names if name.startswith(PROB))
    multi_label = any(name.startswith(TRUE) for name in names)
    if multi_label and "label" in names:
        raise ManifestError(f"both label and {TRUE} columns; keep one label or several, not both")
    check_columns(table, classes, multi_label)
    for name in names:
        if name.startswith((PROB, TRUE)) or name == "loss":
            table[name] = _numbers(table[name])
    table["correct"] = _booleans(table["correct"])
    chosen = default_positive(classes, multi_label) if positive is None else positive
    return Predictions(table, classes, multi_label, chosen)


def _numbers(column: pd.Series[str]) -> NDArray[np.float64]:
    """Blank is NaN. Python's float, as it alone reads every repr back to the last bit."""
    numbers = np.full(len(column), np.nan)
    for row, text in enumerate(column):
        try:
            if text:
                numbers[row] = float(text)
        except ValueError as error:
            raise ManifestError(
                f"column {column.name!r}, row {row + 1}: {text!r} is not a number"
            ) from error
    return numbers


def _booleans(column: pd.Series[str]) -> Any:
    meaning = {"True": True, "False": False, "": pd.NA}
    unknown = ~column.isin(list(meaning))
    if unknown.any():
        row = int(unknown.argmax())
        raise ManifestError(
            f"column 'correct', row {row + 1}: {column[row]!r}; allowed are True, False and blank"
        )
    return column.map(meaning).astype("boolean")
