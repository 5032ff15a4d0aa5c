"""Whole patients on either side, with each class in the wanted proportion.

The greedy rule is that of iterative stratification (Sechidis, Tsoumakas, Vlahavas, ECML 2011),
for two sides and for patients instead of images:

1. Patients get a fixed random order, from a hash of the seed and the patient: it depends neither
   on the order of the images nor on which other patients there are.
2. Each patient counts for the rarest class among its images (the one that the fewest patients
   have; images of no class are a class here). Patients of the rarest class come first, as the
   commoner classes can still be evened out after them.
3. A patient goes to validation if that brings the validation images of its class nearer to the
   wanted number.
4. A class that is still missing on one side gets its smallest patient moved there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..._io.text import counted
from ...errors import DataError
from .base import DrawnSplitter, Labels, Patients, Split, check_fraction
from .groups import class_flags, group_names

Counts = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class PatientSplitter(DrawnSplitter):
    """Grouped by patient, stratified by label: no patient is on both sides.

    Raises DataError when a class cannot have a patient on both sides. Positions come back in
    ascending order.
    """

    valid_pct: float = 0.2
    seed: int = 42

    def __post_init__(self) -> None:
        check_fraction(self.valid_pct)

    def split(
        self, items: Sequence[Any], labels: Labels | None, patients: Patients | None
    ) -> Split:
        names, flags = class_flags(items, labels)
        groups = group_names(items, patients)
        order = sorted(set(groups), key=lambda group: _hash(self.seed, group))
        position = {group: index for index, group in enumerate(order)}
        owner = np.array([position[group] for group in groups], dtype=np.int64)
        counts = np.zeros((len(order), len(names)))
        np.add.at(counts, owner, flags)
        sizes = np.bincount(owner, minlength=len(order)).astype(float)
        of_no_class = np.bincount(owner, weights=~flags.any(axis=1), minlength=len(order))

        _require_two_patients(names, counts)
        chosen = choose_patients(np.column_stack([counts, of_no_class]), self.valid_pct)
        _put_each_class_on_both_sides(chosen, counts > 0, sizes)
        _require_both_sides(names, counts, chosen)
        in_valid = chosen[owner]
        return np.flatnonzero(~in_valid).tolist(), np.flatnonzero(in_valid).tolist()


def choose_patients(counts: Counts, valid_pct: float) -> Mask:
    """Steps 2 and 3: which patients validate. counts: (patients, classes) images."""
    want = valid_pct * counts.sum(axis=0)
    n_patients = (counts > 0).sum(axis=0)
    rarest = np.where(counts > 0, n_patients, len(counts) + 1).argmin(axis=1)
    chosen = np.zeros(len(counts), dtype=bool)
    have = np.zeros(len(want))
    for patient in np.argsort(n_patients[rarest], kind="stable"):
        column = rarest[patient]
        missing = want[column] - have[column]
        if abs(missing - counts[patient, column]) < abs(missing):
            chosen[patient] = True
            have += counts[patient]
    return chosen


def _put_each_class_on_both_sides(chosen: Mask, has_class: Mask, sizes: Counts) -> None:
    """Step 4, in place. A patient whose move would take a class off its side stays."""
    for column in range(has_class.shape[1]):
        for side in (True, False):
            if has_class[chosen == side, column].any():
                continue
            other = chosen != side
            left_behind = has_class[other].sum(axis=0) - has_class
            free = other & has_class[:, column] & ((left_behind > 0) | ~has_class).all(axis=1)
            if free.any():
                chosen[np.flatnonzero(free)[np.argmin(sizes[free])]] = side


def _require_two_patients(names: Sequence[str], counts: Counts) -> None:
    for name, column in zip(names, counts.T, strict=True):
        n_patients = int((column > 0).sum())
        if n_patients < 2:
            raise DataError(
                f"class {name!r} has {counted(n_patients, 'patient')} in "
                f"{counted(int(column.sum()), 'image')} and cannot be on both sides of a split; "
                "add images of other patients or leave it out"
            )


def _require_both_sides(names: Sequence[str], counts: Counts, chosen: Mask) -> None:
    for name, column in zip(names, counts.T, strict=True):
        if not (column[chosen].any() and column[~chosen].any()):
            raise DataError(
                f"class {name!r} cannot have a patient on both sides of a split together with the "
                "other classes: too few patients; add images of other patients"
            )


def _hash(seed: int, group: str) -> str:
    return hashlib.sha256(f"{seed}:{group}".encode()).hexdigest()
