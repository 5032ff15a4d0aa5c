"""The patient of each row: from a pattern, the table's column, DICOM headers or file names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ManifestError
from .layouts import LayoutTable
from .layouts.dicom_headers import COLUMNS, PatientFacts
from .patients import find_pattern, identity_note

if TYPE_CHECKING:
    import pandas as pd


def add_patients(
    listed: LayoutTable,
    table: pd.DataFrame,
    headers: Mapping[str, PatientFacts],
    pattern: str | None,
) -> tuple[pd.DataFrame, str]:
    """The table with `patient` (None where not known) and a sentence on where it comes from.

    headers: of the DICOM files, by path (see `with_headers`).
    A pattern that the caller chose stands alone. Otherwise come the table's own column, then
    DICOM headers, then a known pattern in the file names, each filling what is still missing.
    """
    chosen = pattern not in ("auto", None)
    sources = []
    if listed.patient_source is None or chosen:
        table = table.assign(patient=None)
    else:
        table = table.assign(patient=_with_none(table["patient"]))
        sources += [listed.patient_source] if table["patient"].notna().any() else []
    if _fill_from_headers(table, headers, with_patient=not chosen):
        sources.append("DICOM headers")
    if name := _fill_from_names(table, pattern):
        sources.append(f"file names ({name} pattern)")
    _refuse_patients_as_classes(listed.root, table)
    return table, identity_note(table["patient"].tolist(), " and ".join(sources) or None)


def _with_none(values: pd.Series) -> pd.Series:
    return values.astype(object).where(values.notna(), None)


def _fill_from_headers(
    table: pd.DataFrame, headers: Mapping[str, PatientFacts], with_patient: bool
) -> bool:
    """Fills blanks of the DICOM files' rows, in place; whether a patient was among them."""
    rows = table.index[table["path"].isin(list(headers))]
    if not len(rows):
        return False
    facts: list[Mapping[str, Any]] = [headers[path] for path in table.loc[rows, "path"]]
    for column in COLUMNS if with_patient else COLUMNS[1:]:
        values = [fact.get(column) for fact in facts]
        before = table.loc[rows, column].tolist() if column in table else [None] * len(rows)
        filled = [new if _blank(old) else old for old, new in zip(before, values, strict=True)]
        if column not in table and any(value is not None for value in filled):
            table[column] = None
        if column in table:
            table[column] = table[column].astype(object)
            table.loc[rows, column] = filled
    if "age" in table:
        table["age"] = table["age"].astype(float)
    return with_patient and any("patient" in fact for fact in facts)


def _fill_from_names(table: pd.DataFrame, pattern: str | None) -> str | None:
    """Fills blank patients and studies, in place; the name of the pattern that did it."""
    rows = table.index[table["patient"].isna()]
    paths = table.loc[rows, "path"].tolist()
    known = find_pattern(pattern, paths)
    if known is None:
        return None
    table.loc[rows, "patient"] = [known.patient(path) for path in paths]
    studies = [known.study(path) for path in paths]
    if any(studies) and "study" not in table:
        table["study"] = None
        table.loc[rows, "study"] = studies
    return known.name


def _refuse_patients_as_classes(root: Path, table: pd.DataFrame) -> None:
    """CheXpert names folders after patients: its labels are in a table."""
    if "label" not in table:
        return
    rows = zip(table["path"], table["label"], table["patient"], strict=True)
    if all(label == patient and label in path.split("/") for path, label, patient in rows):
        raise ManifestError(
            f"the folders under {root} are named after patients, not classes; "
            "give the table that holds the labels (a .csv) instead of the folder"
        )


def _blank(value: object) -> bool:
    return value is None or value != value  # NaN is the one value that differs from itself
