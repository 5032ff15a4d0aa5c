"""What splitters know of the items: whose they are, and of which classes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import numpy.typing as npt

from ..._io import say
from ...find.patients import patients_of
from ...find.secret import PREFIX as PSEUDONYM
from .base import Labels, Patients


def group_names(items: Sequence[Any], patients: Patients | None) -> list[str]:
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
    several = (list, tuple, set, frozenset)
    sets = [set(map(str, one)) if isinstance(one, several) else {str(one)} for one in labels]
    classes = sorted(set().union(*sets))
    return classes, np.array([[name in one for name in classes] for one in sets], dtype=bool)


def _patients_in_names(items: Sequence[Any]) -> Patients:
    return patients_of(items) if all(map(_is_path, items)) else [None] * len(items)


def _own_names(items: Sequence[Any]) -> list[str]:
    if len(items) < 2 or not all(map(_is_path, items)):
        return [str(index) for index in range(len(items))]
    paths = [Path(item).absolute() for item in items]
    try:
        root = os.path.commonpath(paths)
    except ValueError:  # several drives of Windows
        return [path.as_posix() for path in paths]
    return [path.relative_to(root).as_posix() for path in paths]


def _is_path(item: object) -> bool:
    return isinstance(item, (str, PurePath))
