"""Columns that could point to a person are refused. No message holds a value."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...errors import UsageError

NAMES = frozenset(
    {"patient", "patients", "study", "studies", "subject", "subjects", "case", "cases"}
    | {"name", "names", "path", "paths", "file", "files", "filename", "image", "images", "dob"}
)
LAST_WORDS = frozenset(
    {"id", "ids", "uid", "identifier", "mrn", "accession", "number", "path", "file", "filename"}
)
PEOPLE = frozenset({"patient", "subject", "person", "physician", "operator"})
SHARE = 0.5  # more values than half of the patients: nearly everyone has a value of their own
SHARE_OF_NUMBERS = 0.9  # numbers repeat less: the ages of 30 patients take 25 values
FEWEST_NUMBERS = 20
CHOOSE = "choose a column whose values are shared, such as age, sex or site"


def words(name: str) -> list[str]:
    """`PatientAge`, `patient_age` and `Patient Age` are `["patient", "age"]`."""
    return re.findall(r"[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower())


def check_name(name: str) -> None:
    """Raises UsageError for a column of identifiers, files, people's names or birth dates."""
    parts = words(name)
    last = parts[-1] if parts else ""
    of_a_person = last in {"name", "names"} and not PEOPLE.isdisjoint(parts)
    if "".join(parts) in NAMES or last in LAST_WORDS or of_a_person or "birth" in name.lower():
        raise UsageError(f"column {name!r} may tell who a patient is; {CHOOSE}")


def check_values(
    name: str,
    shown: Sequence[str],
    groups: NDArray[np.int64],
    patients: Sequence[str],
    shared_share: float,
) -> None:
    """Raises UsageError where values are the patients' own, or of nearly everyone another one.

    `shown` (n,) values as text, `groups` (n,) numbers and `patients` (n,) names of their patients,
    all "" where not known. So many values for each patient are too many: `shared_share`.
    """
    known = np.array([value != "" for value in shown])
    same = sum(value == patient != "" for value, patient in zip(shown, patients, strict=True))
    if same > SHARE * known.sum():
        raise UsageError(f"column {name!r} holds the patients' identifiers; {CHOOSE}")
    values = len(set(shown) - {""})
    some = len(np.unique(groups[known]))
    if values > 2 and values > shared_share * some:
        raise UsageError(
            f"column {name!r} has {values:,} values for {some:,} patients, as an identifier has; "
            f"{CHOOSE}"
        )
