"""Labels that agree: rows without one left out, each image once, classes in a fixed order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .._io import say
from ..errors import ManifestError
from .layouts import LayoutTable

if TYPE_CHECKING:
    import pandas as pd


def tidy_labels(
    listed: LayoutTable, classes: Sequence[str] | None
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The labelled rows, each image once, and the classes: sorted, or as given.

    Where no row has a label all rows stay. Raises ManifestError for an image with two different
    labels, for labels that are not among `classes`, and for classes that differ only in case.
    """
    names = list(listed.label_columns) or ["label"]
    table = _without_repeats(_labelled(listed.table, names), names)
    present = list(listed.label_columns) or sorted(table["label"].dropna().unique())
    if classes is None:
        _refuse_same_but_case(present)
        return table, tuple(present)
    unknown = [name for name in present if name not in classes]
    if unknown:
        raise ManifestError(
            f"unknown labels {', '.join(map(repr, unknown[:5]))}: the classes are "
            f"{', '.join(classes)}; rename these labels or leave their rows out"
        )
    return table, tuple(classes)


def _labelled(table: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    blank = table[names].isna().all(axis=1)
    if not blank.any() or blank.all():
        return table
    say(f"left out {int(blank.sum()):,} of {len(table):,} images: they have no label")
    return table[~blank]


def _without_repeats(table: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    repeats = int(table.duplicated("path").sum())
    if not repeats:
        return table.reset_index(drop=True)
    once = table.drop_duplicates(["path", *names])
    torn = once[once.duplicated("path", keep=False)]
    if len(torn):
        first = torn["path"].iloc[0]
        labels = torn.loc[torn["path"] == first, names].astype(str).agg("/".join, axis=1)
        raise ManifestError(
            f"{torn['path'].nunique():,} images are listed with different labels, such as {first} "
            f"({' and '.join(labels)}); keep one row for each image"
        )
    say(f"left out {repeats:,} rows: they repeat the image and label of another row")
    return table.drop_duplicates("path").reset_index(drop=True)


def _refuse_same_but_case(classes: Sequence[str]) -> None:
    spelling: dict[str, str] = {}
    for name in classes:
        other = spelling.setdefault(name.casefold(), name)
        if other != name:
            raise ManifestError(
                f"the classes {other!r} and {name!r} differ only in upper and lower case; "
                "write them the same way"
            )
