"""Patients -> groups of images, so that images of one patient stay together everywhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray


def patient_groups(
    patients: Sequence[object] | NDArray[np.object_], *, unknown_last: bool = False
) -> NDArray[np.int64]:
    """(n,) int64 from 0 without gaps, equal for images of one patient and for no others.

    `patients` (n,) are names or numbers. An unknown one, None or "", is a group of its own.
    Groups are numbered as patients first appear; with `unknown_last` the known ones come first.
    """
    names = list(patients)
    rows: Iterable[int] = range(len(names))
    if unknown_last:
        rows = sorted(rows, key=lambda row: names[row] in (None, ""))
    numbers: dict[object, int] = {}
    groups = np.empty(len(names), np.int64)
    for row in rows:
        key = ("unknown", row) if names[row] in (None, "") else names[row]
        groups[row] = numbers.setdefault(key, len(numbers))
    return groups
