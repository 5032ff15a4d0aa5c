"""What splitters are: their call, what they say of patients on both sides, their limits."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..._io import say
from ...errors import DataError, UsageError
from ..items import picked

Split = tuple[list[int], list[int]]
Labels = Sequence[Any] | npt.NDArray[Any]
Patients = Sequence[str | None]


class Splitter(ABC):
    """`splitter(items)` as in fast.ai, or with what a manifest knows of the items."""

    @abstractmethod
    def __call__(
        self,
        items: Sequence[Any],
        labels: Labels | None = None,
        patients: Patients | None = None,
        splits: Sequence[str | None] | None = None,
    ) -> Split:
        """The positions of the training and of the validation items.

        items: what to split, image paths as a rule.
        labels: the class of each item, or (n, classes) flags of 1/0/NaN.
        patients: the patient of each item, None where not known.
        splits: what the data set itself says: train, valid or test.
        Raises DataError where no such split can be made.
        """


class DrawnSplitter(Splitter):
    """A rule of its own, in `split`, for all items that the data set does not keep for testing."""

    def __call__(
        self,
        items: Sequence[Any],
        labels: Labels | None = None,
        patients: Patients | None = None,
        splits: Sequence[str | None] | None = None,
    ) -> Split:
        n = len(items)
        names = [None] * n if splits is None else splits
        rows = [row for row, name in enumerate(names) if name != "test"]
        if not rows:
            raise DataError(f"there is nothing to split: {n:,} images, all of them for testing")
        if len(rows) == n:
            return self.split(items, labels, patients)
        say(f"{n - len(rows):,} test images neither train nor validate")
        train, valid = self.split(*(_pick(values, rows) for values in (items, labels, patients)))
        return [rows[index] for index in train], [rows[index] for index in valid]

    @abstractmethod
    def split(
        self, items: Sequence[Any], labels: Labels | None, patients: Patients | None
    ) -> Split: ...


def shared_patients(
    train: Sequence[int], valid: Sequence[int], patients: Patients
) -> tuple[int, float]:
    """How many validation images are of a patient who is in training too, and their share."""
    known = {patients[index] for index in train} - {None}
    n_images = sum(patients[index] in known for index in valid)
    return n_images, n_images / max(len(valid), 1)


def say_shared_patients(
    train: Sequence[int], valid: Sequence[int], patients: Patients | None
) -> None:
    """One line when the validation side holds patients that the training side has, too."""
    n_images, share = shared_patients(train, valid, patients) if patients is not None else (0, 0.0)
    if n_images:
        say(
            f"{n_images:,} of {len(valid):,} validation images ({share:.0%}) share a patient with "
            "training: their score will look better than on new patients; PatientSplitter keeps "
            "patients apart"
        )


def check_fraction(valid_pct: float) -> None:
    if not 0 < valid_pct < 1:
        raise UsageError(f"valid_pct={valid_pct!r}: give a fraction between 0 and 1, such as 0.2")


def _pick(values: Any, rows: Sequence[int]) -> Any:
    if values is None:
        return None
    return values[rows] if isinstance(values, np.ndarray) else picked(values, np.asarray(rows))
