"""Columns of other people's tables, found by their names and brought into one form."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from ...errors import ManifestError, UnknownName
from ..files import is_image_name
from .base import SPLIT_NAMES

if TYPE_CHECKING:
    import pandas as pd

# Ours -> theirs, in order of preference, compared in lower case without blanks and signs:
# "Patient ID" and "patient_id" are both `patientid`.
NAMES = {
    "path": "path filepath imagepath relativepath dicompath file filename image imagefile "
    "imagename imageindex imageid img dicomid",
    "label": "label class target finding findinglabels findings labels diagnosis category",
    "patient": "patient patientid subject subjectid patientnumber",
    "study": "study studyid studyinstanceuid",
    "split": "split subset partition",
    "view": "view viewposition appa projection",
    "age": "age patientage",
    "sex": "sex patientsex gender patientgender",
    "site": "site hospital institution center centre",
}
DESCRIPTIONS = ("study", "split", "view", "age", "sex", "site")
OLDEST_EVER = 123.0  # years; NIH ChestX-ray14 holds people of 411
DAYS = {"Y": 365.25, "M": 30.4375, "W": 7.0, "D": 1.0}


def find_column(frame: pd.DataFrame, meaning: str, given: str | None = None) -> str | None:
    """The column that `given` names, or the first that goes by a known name of `meaning`.

    Raises UnknownName when `given` is not a column.
    """
    columns = [str(column) for column in frame.columns]
    if given is not None:
        if given not in columns:
            raise UnknownName(f"{meaning} column", given, columns)
        return given
    plain = {re.sub(r"[\W_]", "", column.lower()): column for column in reversed(columns)}
    return next((plain[name] for name in NAMES[meaning].split() if name in plain), None)


def path_column(frame: pd.DataFrame, given: str | None, table: str) -> str:
    """As `find_column`; else the first column that holds names of image files."""
    found = find_column(frame, "path", given)
    if found is not None:
        return found
    for column in frame.columns:
        values = frame[column].dropna().head(100)
        if len(values) and values.map(lambda value: is_image_name(str(value))).mean() > 0.9:
            return str(column)
    raise ManifestError(
        f"{table} has no column with image paths (its columns: {_listed(frame)}); "
        "name it with --path-column"
    )


def descriptions(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """`study`, `split`, `view`, `age` (years), `sex` and `site`, where the table has them.

    Returns them with the names of the columns that they come from.
    """
    import pandas as pd

    columns, sources = {}, []
    for meaning in DESCRIPTIONS:
        column = find_column(frame, meaning)
        if column is not None:
            form = FORMS.get(meaning)
            columns[meaning] = frame[column].map(form, "ignore") if form else frame[column]
            sources.append(column)
    return pd.DataFrame(columns, index=frame.index), sources


def age_years(text: str) -> float:
    """Years from a number or a DICOM age string (`045Y`, `006M`); NaN when it is neither, or more
    than anybody lived.

    Source: DICOM PS3.5, value representation AS.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([YMWD]?)\s*", str(text).upper())
    if match is None:
        return float("nan")
    unit = match[2] or "Y"
    years = float(match[1]) * DAYS[unit] / DAYS["Y"]
    return years if years < OLDEST_EVER else float("nan")


def sex_letter(text: str) -> str:
    """`F` or `M` for the usual spellings; anything else stays as it is."""
    return {"female": "F", "f": "F", "male": "M", "m": "M"}.get(
        str(text).strip().lower(), str(text)
    )


def split_name(text: str) -> str:
    """train, valid or test for the usual spellings; anything else stays as it is."""
    return SPLIT_NAMES.get(str(text).strip().lower(), str(text).strip())


FORMS: dict[str, Callable[[str], object]] = {
    "split": split_name,
    "age": age_years,
    "sex": sex_letter,
}


def _listed(frame: pd.DataFrame) -> str:
    return ", ".join(str(column) for column in list(frame.columns)[:12])
