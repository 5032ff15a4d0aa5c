"""Groups too small to measure, and columns that tell the label by themselves."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

import pandas as pd

from ...pixels import read_dicom_facts
from ..finding import Finding
from ..methods.crossfit import auroc_interval, auroc_text, out_of_fold
from ..methods.sides import class_rows, classes_to_tell
from ..scan import Scan
from .shortcuts import GIVES_AWAY

MIN_PATIENTS = 20
MAX_IMAGES = 10_000
NAMES = "series of file names"
MOST_VALUES = 20  # a column with more is no grouping but an identifier or a measurement
OWN = ("path", "label", "patient", "study", "split", "age")
AGES = [0.0, 1.0, 6.0, 18.0, 40.0, 65.0, float("inf")]
AGE_NAMES = ["under 1", "1 to 5", "6 to 17", "18 to 39", "40 to 64", "65 and over"]


def check_subgroups(scan: Scan) -> list[Finding]:
    columns = groupings(scan)
    return [*_telling(scan, columns), *_small(scan, columns)]


def _small(scan: Scan, columns: dict[str, pd.Series]) -> list[Finding]:
    """One finding for each column with such groups."""
    findings = []
    for name, values in columns.items():
        sizes = {
            str(value): scan.n_groups((values == value).to_numpy())
            for value in values.dropna().unique()
        }
        small = {value: n for value, n in sorted(sizes.items()) if n < MIN_PATIENTS}
        if small:
            sizes_text = ", ".join(f"{value} ({n:,})" for value, n in small.items())
            findings.append(
                Finding(
                    code="small-subgroup",
                    severity="info",
                    message=f"{name}: too few {scan.counted} to measure a model on: {sizes_text}",
                    group=name,
                    evidence={scan.counted: sizes, "needed": MIN_PATIENTS},
                    action="do not report figures of these groups by themselves",
                )
            )
    return findings


def _telling(scan: Scan, columns: dict[str, pd.Series]) -> list[Finding]:
    return [
        finding
        for name, values in columns.items()
        for index in classes_to_tell(scan)
        if (finding := _tells(scan, name, values, index)) is not None
    ]


def _tells(scan: Scan, name: str, values: pd.Series, index: int) -> Finding | None:
    rows = class_rows(scan, index, MAX_IMAGES)
    if rows is None:
        return None
    coded = pd.get_dummies(values.iloc[rows].fillna("unknown")).to_numpy(float)
    truth, groups = scan.flags[rows, index] == 1, scan.groups[rows]
    label = scan.manifest.classes[index]
    auroc = auroc_interval(out_of_fold(coded, truth, groups, "linear"), truth, groups)
    if auroc["low"] <= GIVES_AWAY:
        return None
    return Finding(
        code="column-tells-label",
        severity="info" if name == NAMES else "warning",
        message=f"{label} can be told from the {name} alone: {auroc_text(auroc)}",
        group=f"{name}, {label}",
        evidence={"auroc": auroc, "column": name, "class": label},
        action="no model sees file names, but classes that are numbered apart were often gathered "
        "apart: look at the shortcuts"
        if name == NAMES
        else "a model that can see it in the images need not look at the disease: compare within "
        "one value at a time",
    )


def groupings(scan: Scan) -> dict[str, pd.Series]:
    """Name -> (n,) text, None where not known; only those with 2 to MOST_VALUES values."""
    table = scan.manifest.table
    columns = {
        str(name): table[name]
        for name in table
        if name not in OWN and name not in scan.manifest.classes
    }
    if "age" in table:
        cut = pd.cut(pd.to_numeric(table["age"], errors="coerce"), AGES, right=False)
        columns["age"] = cut.cat.rename_categories(AGE_NAMES).astype(object)
    columns[NAMES] = pd.Series([series_of(name) for name in scan.names])
    columns["machine"] = _machines(scan)
    as_text = {name: _text(values) for name, values in columns.items()}
    return {
        name: values for name, values in as_text.items() if 2 <= values.nunique() <= MOST_VALUES
    }


def series_of(name: str) -> str:
    """The words of a file name without its numbers: `NORMAL2-IM-0383-0001.jpeg` -> `NORMAL2-IM`.

    A number that directly follows letters belongs to the word, unless it is long enough to count
    images or people: `person63_bacteria_306` -> `person_bacteria`.
    """
    stem = PurePosixPath(name).name.split(".")[0]
    words = [re.sub(r"\d{2,}$|(?<=[a-z])\d+$", "", word) for word in re.split(r"[-_ ]+", stem)]
    return "-".join(word for word in words if word and not word.isdigit()) or "numbers only"


def _machines(scan: Scan) -> pd.Series:
    models = [
        read_dicom_facts(path)["manufacturer_model"] or None
        if facts.stored is not None and facts.stored.format == "dicom"
        else None
        for path, facts in zip(scan.manifest.paths(), scan.files, strict=True)
    ]
    return pd.Series(models, dtype=object)


def _text(values: pd.Series) -> pd.Series:
    return pd.Series([None if pd.isna(value) else str(value) for value in values], dtype=object)
