"""Label columns of a table: one class, classes joined by `|`, or one column for each class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..._io import say
from ...config import ManifestOptions
from ...errors import ManifestError, UnknownName, UsageError
from .columns import find_column

if TYPE_CHECKING:
    import pandas as pd

VALUES = {"1": 1.0, "1.0": 1.0, "0": 0.0, "0.0": 0.0, "-1": float("nan"), "-1.0": float("nan")}
UNCERTAIN = ("-1", "-1.0")
NOTHING_FOUND = "No Finding"
NOT_LABELS = frozenset({"fold", "index", "id", ""})


@dataclass(frozen=True)
class Labels:
    """`label` as text and no classes, or a column of 1.0/0.0/NaN for each of the classes.

    `sources` are the columns of the table that they come from.
    """

    table: pd.DataFrame
    classes: tuple[str, ...]
    sources: tuple[str, ...]


def read_labels(frame: pd.DataFrame, options: ManifestOptions, name: str) -> Labels:
    """Labels from the columns that `options` names, or from those that look like labels.

    `frame` holds the columns that mean nothing else; `name` is the table in messages.
    Raises ManifestError where there is no label or one cannot be understood.
    """
    if options.label_column and options.label_columns:
        raise UsageError("give a label column or label columns, not both")
    if options.label_columns:
        return _flags(frame, options.label_columns, name)
    column = find_column(frame, "label", options.label_column)
    if column is not None:
        return _one_column(frame[column], column)
    candidates = flag_columns(frame)
    if len(candidates) < 2:
        raise ManifestError(
            f"{name} has no column of labels (free columns: "
            f"{', '.join(map(str, frame.columns)) or 'none'}); name one with --label-column, or "
            "several of 1/0/blank with --label-columns"
        )
    return _flags(frame, candidates, name)


def flag_columns(frame: pd.DataFrame) -> list[str]:
    """The columns that hold nothing but 1, 0, -1 and blanks, and at least one 1."""
    flags = []
    for column in map(str, frame.columns):
        values = set(frame[column].dropna().map(str.strip).unique())
        named = column.lower() not in NOT_LABELS and not column.startswith("Unnamed")
        if named and values <= set(VALUES) and values & {"1", "1.0"}:
            flags.append(column)
    return flags


def _flags(frame: pd.DataFrame, columns: Sequence[str], name: str) -> Labels:
    import pandas as pd

    classes = tuple(sorted(dict.fromkeys(columns)))
    uncertain = 0
    flags = {}
    for column in classes:
        if column not in frame.columns:
            raise UnknownName("label column", column, map(str, frame.columns))
        text = frame[column].map(str.strip, "ignore")
        wrong = text[text.notna() & ~text.isin(list(VALUES))]
        if len(wrong):
            raise ManifestError(
                f"{name}: column {column!r} holds {wrong.iloc[0]!r} in row {wrong.index[0] + 1}; a "
                "column of several labels may hold 1, 0, -1 (uncertain) or nothing"
            )
        uncertain += int(text.isin(UNCERTAIN).sum())
        flags[column] = text.map(VALUES, "ignore").astype(float)
    if uncertain:
        say(f"{name}: {uncertain:,} uncertain labels (-1) count as unknown")
    return Labels(pd.DataFrame(flags, index=frame.index), classes, classes)


def _one_column(values: pd.Series, column: str) -> Labels:
    text = values.map(lambda value: value.strip() or None, "ignore")
    if text.astype("string").str.contains("|", regex=False).any():
        flags = _joined(text)
        return Labels(flags, tuple(flags.columns), (column,))
    return Labels(text.rename("label").to_frame(), (), (column,))


def _joined(text: pd.Series) -> pd.DataFrame:
    """`Effusion|Mass` -> 1.0 for both and 0.0 for the others; `No Finding` -> 0.0 for all.

    Source: the form of NIH ChestX-ray14 (Wang et al., CVPR 2017).
    """
    tight = text.astype("string").str.replace(r"\s*\|\s*", "|", regex=True)
    flags = tight.str.get_dummies("|").astype(float)
    flags = flags.drop(columns=NOTHING_FOUND, errors="ignore")
    flags.loc[text.isna(), :] = float("nan")
    return flags[sorted(flags.columns)]
