"""What splitters share: their form, patients on both sides, groups, limits."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path, PurePath
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ..._io import say
from ...errors import DataError, UsageError
from ...find.patients import patients_of
from ...find.secret import PREFIX as PSEUDONYM
from ..column import picked

Split = tuple[list[int], list[int]]
TOO_FEW = 100  # images; below it the 95 % interval of an accuracy can be 20 points wide
Labels = Sequence[Any] | npt.NDArray[Any]


class Splitter(Protocol):
    """`splitter(items)` as in fast.ai, or with what a manifest knows of the items.

    items: what to split, image paths as a rule.
    labels: the class of each item, or (n, classes) flags of 1/0/NaN.
    patients: the patient of each item, None where not known.
    splits: what the data set itself says: train, valid or test.
    Returns the positions of the training and of the validation items.
    """

    def __call__(
        self,
        items: Sequence[Any],
        labels: Labels | None = None,
        patients: Sequence[str | None] | None = None,
        splits: Sequence[str | None] | None = None,
    ) -> Split: ...


def shared_patients(
    train: Sequence[int], valid: Sequence[int], patients: Sequence[str | None]
) -> tuple[int, float]:
    """How many validation images are of a patient who is in training too, and their share."""
    known = {patients[index] for index in train} - {None}
    n_images = sum(patients[index] in known for index in valid)
    return n_images, n_images / max(len(valid), 1)


def say_shared_patients(
    train: Sequence[int], valid: Sequence[int], patients: Sequence[str | None]
) -> None:
    """One line when the validation side holds patients that the training side has seen."""
    n_images, share = shared_patients(train, valid, patients)
    if n_images:
        say(
            f"{n_images:,} of {len(valid):,} validation images ({share:.0%}) share a patient with "
            "training: their score will look better than on new patients; PatientSplitter keeps "
            "patients apart"
        )


def by_name(
    names: Sequence[str | None],
    train_name: str,
    valid_names: Sequence[str],
    patients: Sequence[str | None] | None,
    source: str,
) -> Split:
    """The split that is given with the data, with a line on what makes it unfit to measure with.

    Raises DataError when one side is empty.
    """
    train = [index for index, name in enumerate(names) if name == train_name]
    valid = [index for index, name in enumerate(names) if name in valid_names]
    if not train or not valid:
        found = ", ".join(sorted({name for name in names if name})[:8]) or "nothing"
        raise DataError(
            f"{source} give {len(train):,} training ({train_name}) and {len(valid):,} validation "
            f"({' or '.join(valid_names)}) images; found: {found}; use PatientSplitter instead"
        )
    if len(valid) < TOO_FEW:
        say(
            f"n={len(valid)} validation images are too few to measure with: an accuracy from them "
            f"is uncertain by up to ±{98 / len(valid) ** 0.5:.0f} points; PatientSplitter holds "
            "out more"
        )
    if patients is not None:
        say_shared_patients(train, valid, patients)
    return train, valid


def patient_groups(items: Sequence[Any], patients: Sequence[str | None] | None) -> list[str]:
    """A group for each item: its patient, or where that is not known the item by itself.

    Without `patients` they are looked for in the file names. Groups do not depend on the order
    of the items, nor on where their common folder lies, nor on the key of pseudonyms: such a
    patient goes by the first of its names of files, so that a set splits alike everywhere.
    """
    if patients is None:
        patients = _patients_in_names(items)
    alone = sum(patient is None for patient in patients)
    if alone == len(items):
        say(
            "no patient is known, so each image is split by itself: one person's images may end up "
            "on both sides; give get_patient or a patient pattern"
        )
    elif alone:
        say(f"{alone:,} of {len(items):,} images have no patient: each is split by itself")
    keyed = any(patient is not None and patient.startswith(PSEUDONYM) for patient in patients)
    names = _own_names(items) if alone or keyed else [""] * len(items)
    first: dict[str, str] = {}
    for patient, name in zip(patients, names, strict=True):
        if patient is not None and patient.startswith(PSEUDONYM):
            first[patient] = min(name, first.get(patient, name))
    return [
        f"image {name}" if patient is None else f"patient {first.get(patient, patient)}"
        for patient, name in zip(patients, names, strict=True)
    ]


def class_flags(items: Sequence[Any], labels: Labels | None) -> tuple[list[str], npt.NDArray[Any]]:
    """The classes and an (n, classes) table of which item has which, NaN read as no.

    Without `labels` an item's class is the name of its folder; items that are not paths are
    then all of one class.
    """
    if labels is None:
        labels = [PurePath(item).parent.name if _is_path(item) else "" for item in items]
    if isinstance(labels, np.ndarray) and labels.ndim == 2:
        return [str(index) for index in range(labels.shape[1])], np.nan_to_num(labels) > 0
    if isinstance(labels, np.ndarray) and labels.dtype.kind in "iu":
        values, codes = np.unique(labels, return_inverse=True)
        classes = sorted(map(str, values.tolist()))
        columns = np.array([classes.index(str(value)) for value in values.tolist()])
        return classes, np.eye(len(classes), dtype=bool)[columns[codes]]
    sets = [set(map(str, label)) if _is_several(label) else {str(label)} for label in labels]
    classes = sorted(set().union(*sets))
    return classes, np.array([[name in one for name in classes] for one in sets], dtype=bool)


def check_fraction(valid_pct: float) -> float:
    if not 0 < valid_pct < 1:
        raise UsageError(f"valid_pct={valid_pct!r}: give a fraction between 0 and 1, such as 0.2")
    return float(valid_pct)


def without_test(
    split: Callable[..., Split],
    items: Sequence[Any],
    labels: Labels | None,
    patients: Sequence[str | None] | None,
    splits: Sequence[str | None] | None,
) -> Split:
    """Runs `split(items, labels, patients)` on what the data set does not keep for testing.

    Raises DataError when that is nothing.
    """
    rows = (
        list(range(len(items)))
        if splits is None
        else [row for row, name in enumerate(splits) if name != "test"]
    )
    if not rows:
        raise DataError(
            f"there is nothing to split: {len(items):,} images, all of them for testing"
        )
    if len(rows) == len(items):
        return split(items, labels, patients)
    say(f"{len(items) - len(rows):,} test images neither train nor validate")
    chosen = [_pick(values, rows) for values in (items, labels, patients)]
    train, valid = split(*chosen)
    return [rows[index] for index in train], [rows[index] for index in valid]


def _pick(values: Any, rows: list[int]) -> Any:
    if values is None or isinstance(values, np.ndarray):
        return values if values is None else values[rows]
    return picked(values, np.asarray(rows))


def _patients_in_names(items: Sequence[Any]) -> list[str | None]:
    if not all(_is_path(item) for item in items):
        return [None] * len(items)
    return patients_of(items)


def _own_names(items: Sequence[Any]) -> list[str]:
    if len(items) < 2 or not all(_is_path(item) for item in items):
        return [str(index) for index in range(len(items))]
    paths = [Path(item).absolute() for item in items]
    try:
        root = os.path.commonpath(paths)
    except ValueError:  # several drives of Windows
        return [path.as_posix() for path in paths]
    return [path.relative_to(root).as_posix() for path in paths]


def _is_path(item: object) -> bool:
    return isinstance(item, (str, PurePath))


def _is_several(label: object) -> bool:
    return isinstance(label, (list, tuple, set, frozenset))
