"""One class against the rest: which images and patients stand on either side."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..scan import Scan

MIN_PATIENTS = 20  # of the smaller side; with fewer the folds say nothing
MAX_CLASSES = 5
Ints = npt.NDArray[np.int64]


def classes_to_tell(scan: Scan) -> list[int]:
    """Positions of the classes to look at: of two the second, of many the MAX_CLASSES largest."""
    if not scan.label_columns:
        return []
    n = len(scan.manifest.classes)
    if not scan.manifest.multi_label and n <= 2:
        return [1] if n == 2 else []
    size = np.minimum((scan.flags == 1).sum(0), (scan.flags == 0).sum(0))
    return sorted(np.argsort(-size, kind="stable")[:MAX_CLASSES].tolist())


def known_rows(scan: Scan, index: int) -> Ints:
    """Readable images of which it is known whether they have the class."""
    return np.flatnonzero(scan.readable & ~np.isnan(scan.flags[:, index]))


def class_rows(scan: Scan, index: int, most: int | None = None) -> Ints | None:
    """`most` of the `known_rows`: whole patients, always the same ones; None where
    there are fewer than MIN_PATIENTS patients on a side."""
    rows = known_rows(scan, index)
    order = np.random.default_rng(0).permutation(scan.groups.max() + 1)[scan.groups[rows]]
    rows = np.sort(rows[np.argsort(order, kind="stable")[:most]])
    return rows if min(patients_of(scan, index, rows)) >= MIN_PATIENTS else None


def patients_of(scan: Scan, index: int, rows: Ints) -> tuple[int, int]:
    """With the class and without it."""
    truth = scan.flags[rows, index] == 1
    return scan.n_groups(rows[truth]), scan.n_groups(rows[~truth])


def pair_of(scan: Scan, index: int) -> str:
    """`NORMAL from PNEUMONIA`, or one class from the rest."""
    names = scan.manifest.classes
    if scan.manifest.multi_label or len(names) > 2:
        return f"{names[index]} from the rest"
    return f"{names[0]} from {names[1]}"
