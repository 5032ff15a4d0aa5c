"""Two models' predictions of the same images, brought into one order."""

from __future__ import annotations

import numpy as np

from ...errors import DataError, ManifestError
from ..predictions import Predictions


def paired(a: Predictions, b: Predictions) -> tuple[Predictions, Predictions]:
    """Both in the order of `a`'s images and classes, matched by path.

    A Windows path and its like with forward slashes are the same. Patients come from both tables:
    one may leave out what the other knows.
    Raises DataError when images, labels, classes, finding or patients differ, ManifestError when a
    path is there twice.
    """
    _check_classes(a, b)
    place, other = _by_path(a, "first"), _by_path(b, "second")
    shared = len(place.keys() & other.keys())
    if not shared == len(a) == len(b):
        raise DataError(
            f"the first model has {len(a):,} images, the second {len(b):,}, and {shared:,} are "
            "shared; evaluate both on the same images"
        )
    table = b.table.iloc[[other[path] for path in place]].reset_index(drop=True)
    b = Predictions(table, a.classes, positive=a.positive)
    _check_labels(a, b)
    return _with_patients(a, b)


def _check_classes(a: Predictions, b: Predictions) -> None:
    if a.multi_label or b.multi_label:
        raise DataError("several labels an image; a comparison needs one label an image")
    for what, first, second in (
        ("classes", ", ".join(sorted(a.classes)), ", ".join(sorted(b.classes))),
        ("the finding", a.positive, b.positive),
    ):
        if first != second:
            raise DataError(
                f"{what} differ: {first} in the first model, {second} in the second; "
                "compare models of the same question"
            )


def _by_path(predictions: Predictions, which: str) -> dict[str, int]:
    """Path -> row, in the table's order."""
    place: dict[str, int] = {}
    for row, path in enumerate(predictions.table["path"]):
        path = str(path).replace("\\", "/")
        if path in place:
            raise ManifestError(
                f"{path} is twice in the {which} table; an image needs one prediction"
            )
        place[path] = row
    return place


def _check_labels(a: Predictions, b: Predictions) -> None:
    differ = np.flatnonzero(a.targets != b.targets)
    if len(differ):
        first, second = (some.table["label"].iloc[differ[0]] for some in (a, b))
        raise DataError(
            f"{len(a):,} images are shared, and the labels of {len(differ):,} differ: "
            f"{a.table['path'].iloc[differ[0]]} is {first} in the first table and {second} in the "
            "second; evaluate both with the same labels"
        )


def _with_patients(a: Predictions, b: Predictions) -> tuple[Predictions, Predictions]:
    known = np.where(a.patients == "", b.patients, a.patients)
    differ = np.count_nonzero((b.patients != "") & (known != b.patients))
    if differ:
        raise DataError(
            f"{len(a):,} images are shared, and the patients of {differ:,} differ; evaluate both "
            "with the same --patient-pattern or --patient-column"
        )
    first, second = (
        Predictions(some.table.assign(patient=known), a.classes, positive=a.positive)
        for some in (a, b)
    )
    return first, second
