"""Ways in which a set falls into groups: site, sex, age, view, machine, series of names."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

import pandas as pd

from ...pixels import read_dicom_facts
from ..scan import Scan

MOST_VALUES = 20  # a column with more is no grouping but an identifier or a measurement
OWN = ("path", "label", "patient", "study", "split", "age")
AGES = [0.0, 1.0, 6.0, 18.0, 40.0, 65.0, float("inf")]
AGE_NAMES = ["under 1", "1 to 5", "6 to 17", "18 to 39", "40 to 64", "65 and over"]


def groupings(scan: Scan) -> dict[str, pd.Series]:
    """Name -> (n,) text, None where not known; only those with 2 to MOST_VALUES values."""
    table = scan.manifest.table
    found = {
        str(name): table[name]
        for name in table
        if name not in OWN and name not in scan.manifest.classes
    }
    if "age" in table:
        cut = pd.cut(pd.to_numeric(table["age"], errors="coerce"), AGES, right=False)
        found["age"] = cut.cat.rename_categories(AGE_NAMES).astype(object)
    found["series of file names"] = pd.Series([series_of(name) for name in scan.names])
    found["machine"] = _machines(scan)
    as_text = {name: _text(values) for name, values in found.items()}
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
    told = [None if pd.isna(value) else str(value) for value in values]
    return pd.Series(told, dtype=object)
