"""The predictions table in memory, and how it is made from arrays."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ..._stats.groups import patient_groups
from ...config import FRAME_COLUMNS
from ...errors import ManifestError, UsageError
from .checks import (
    PROB,
    TRUE,
    check_columns,
    check_probabilities,
    check_truth,
)
from .classes import check_classes, class_indices, default_positive

Threshold = float | tuple[float, ...]  # a tuple (k,): one for each of several labels
SMALLEST_PROBABILITY = 1e-12  # a loss stays finite where a probability underflowed to 0


@dataclass(frozen=True, eq=False)
class Predictions:
    """The predictions table with the meaning of its columns. Made by `make_predictions`.

    `classes` in the order of the probability columns; `positive` is the finding where there are
    two classes and one label an image, else None.
    Raises ManifestError when table and classes contradict each other.
    """

    table: pd.DataFrame
    classes: tuple[str, ...]
    multi_label: bool = False
    positive: str | None = None

    def __post_init__(self) -> None:
        check_classes(self.classes, self.multi_label, self.positive)
        check_columns(self.table, self.classes, self.multi_label)
        check_probabilities(self.probabilities, self.classes, self.multi_label)
        if self.multi_label:
            check_truth(self.targets, self.classes)
        else:
            class_indices(self.table["label"], self.classes)
            class_indices(self.table["predicted"], self.classes)

    def __len__(self) -> int:
        return len(self.table)

    @cached_property
    def probabilities(self) -> NDArray[np.float64]:
        """(n, k) float64 in [0, 1]; rows sum to 1 unless `multi_label`."""
        return self.table[[PROB + name for name in self.classes]].to_numpy(np.float64)

    @cached_property
    def targets(self) -> NDArray[Any]:
        """(n,) int64 class indices, or (n, k) float64 of 1, 0 and NaN when `multi_label`."""
        if self.multi_label:
            return self.table[[TRUE + name for name in self.classes]].to_numpy(np.float64)
        return class_indices(self.table["label"], self.classes)

    @cached_property
    def patients(self) -> NDArray[np.object_]:
        """(n,) str, "" where the patient is not known."""
        return self.table["patient"].to_numpy(object)

    @cached_property
    def patient_groups(self) -> NDArray[np.int64]:
        """(n,) int64 from 0, one number a patient; an image of an unknown patient has its own."""
        return patient_groups(self.patients, unknown_last=True)

    @property
    def predicted(self) -> NDArray[np.int64]:
        """(n,) int64 class indices of the `predicted` column (one label an image only)."""
        if self.multi_label:
            raise UsageError("no single predicted class where an image has several labels")
        return class_indices(self.table["predicted"], self.classes)

    @property
    def losses(self) -> NDArray[np.float64]:
        """(n,) float64 in nats; NaN where no label is known."""
        return self.table["loss"].to_numpy(np.float64)

    @property
    def binary(self) -> bool:
        """Two classes and one label an image."""
        return self.positive is not None

    @property
    def positive_index(self) -> int:
        if self.positive is None:
            raise UsageError(f"no single positive class among {', '.join(self.classes)}")
        return self.classes.index(self.positive)

    def decide(self, threshold: Threshold = 0.5) -> NDArray[Any]:
        """(n,) int64 class indices; (n, k) bool when `multi_label`.

        Positive means a probability of `threshold` or more; of several labels each may have one of
        its own, (k,). Of three or more exclusive classes
        the most probable is taken, whatever the threshold.
        """
        index = self.positive_index if self.binary else None
        return _decide(self.probabilities, threshold, self.multi_label, index)

    def at(self, threshold: Threshold) -> Predictions:
        """The same predictions with `predicted` and `correct` as decided at `threshold`."""
        decided = self.decide(threshold)
        table = self.table.assign(
            predicted=_names(decided, self.classes), correct=_correct(decided, self.targets)
        )
        return Predictions(table, self.classes, self.multi_label, self.positive)

    def with_frames(self, frames: NDArray[np.floating[Any]] | None) -> Predictions:
        """The same predictions with the columns FRAME_COLUMNS: what part of each image the network
        saw, from the rows (n, 6) of `LungFrame.row`; unchanged without."""
        if frames is None:
            return self
        _check_shape("frames", frames, (len(self), len(FRAME_COLUMNS) + 1))
        columns = dict(zip(FRAME_COLUMNS, frames.T.astype(np.float64), strict=False))
        return Predictions(
            self.table.assign(**columns), self.classes, self.multi_label, self.positive
        )


def make_predictions(
    paths: Sequence[str | Path],
    probabilities: ArrayLike,
    targets: ArrayLike,
    classes: Sequence[str],
    *,
    patients: Sequence[Any] | None = None,
    split: str | Sequence[str] = "",
    losses: ArrayLike | None = None,
    positive: str | None = None,
    threshold: Threshold = 0.5,
) -> Predictions:
    """Predictions from arrays.

    `probabilities` (n, k); `targets` (n,) class indices or names, or (n, k) of 1/0/NaN, which
    means several labels an image; `patients` (n,), None or NaN where unknown; `losses` (n,) where
    the caller has them from logits, else `cross_entropy` of the probabilities. `positive`
    defaults to `positive_class(classes)`.
    Raises ManifestError when shapes or values do not fit.
    """
    classes = tuple(str(name) for name in classes)
    chances = np.asarray(probabilities, np.float64)
    truth = np.asarray(targets)
    multi_label = truth.ndim == 2
    _check_shape("probabilities", chances, (len(paths), len(classes)))
    _check_shape("targets", truth, chances.shape[: max(truth.ndim, 1)])
    if positive is None:
        positive = default_positive(classes, multi_label)
    check_classes(classes, multi_label, positive)
    truth = truth.astype(np.float64) if multi_label else _to_indices(truth, classes)
    index = None if positive is None else classes.index(positive)
    decided = _decide(chances, threshold, multi_label, index)

    columns: dict[str, Any] = {"path": [os.fspath(path) for path in paths]}
    if multi_label:
        columns |= {TRUE + name: truth[:, i] for i, name in enumerate(classes)}
    else:
        columns["label"] = _names(truth, classes)
    columns["patient"] = _patient_names([None] * len(paths) if patients is None else patients)
    columns |= {PROB + name: chances[:, i] for i, name in enumerate(classes)}
    columns["predicted"] = _names(decided, classes)
    columns["correct"] = _correct(decided, truth)
    columns["loss"] = cross_entropy(chances, truth) if losses is None else np.asarray(losses)
    columns["split"] = [split] * len(paths) if isinstance(split, str) else list(split)
    try:
        table = pd.DataFrame(columns)
    except ValueError as error:
        raise ManifestError(
            f"these columns make no table ({error}); give every one a value an image, as Unicode"
        ) from error
    return Predictions(table, classes, multi_label, positive)


def cross_entropy(probabilities: NDArray[np.float64], targets: NDArray[Any]) -> NDArray[np.float64]:
    """(n,) loss in nats; with (n, k) targets the mean over known labels, NaN where none is."""
    if targets.ndim == 1:
        chosen = probabilities[np.arange(len(targets)), targets]
        return -np.log(np.maximum(chosen, SMALLEST_PROBABILITY))
    agreement = np.where(targets > 0.5, probabilities, 1 - probabilities)
    losses = -np.log(np.maximum(agreement, SMALLEST_PROBABILITY))
    known = ~np.isnan(targets)
    count = known.sum(axis=1)
    total = np.where(known, losses, 0.0).sum(axis=1)
    return np.divide(total, count, out=np.full(len(targets), np.nan), where=count > 0)


def _decide(
    chances: NDArray[np.float64], threshold: Threshold, multi_label: bool, positive: int | None
) -> NDArray[Any]:
    if multi_label:
        decided: NDArray[Any] = chances >= np.asarray(threshold)
        return decided
    if positive is None:
        return chances.argmax(axis=1)
    return np.where(chances[:, positive] >= threshold, positive, 1 - positive)


def _names(decided: NDArray[Any], classes: Sequence[str]) -> list[str]:
    """Class names; several joined by `|`, as NIH writes them."""
    if decided.ndim == 1:
        return [classes[i] for i in decided]
    return ["|".join(np.array(classes, object)[row]) for row in decided]


def _correct(decided: NDArray[Any], targets: NDArray[Any]) -> Any:
    """Right or wrong; with several labels, right in every known one, missing where none is."""
    if targets.ndim == 1:
        return pd.array(decided == targets, dtype="boolean")
    known = ~np.isnan(targets)
    right = pd.array((~known | (decided == (targets > 0.5))).all(axis=1), dtype="boolean")
    right[~known.any(axis=1)] = pd.NA
    return right


def _to_indices(labels: NDArray[Any], classes: Sequence[str]) -> NDArray[np.int64]:
    """Class indices from class indices or names."""
    if not np.issubdtype(labels.dtype, np.integer):
        return class_indices(pd.Series([str(name) for name in labels], name="label"), classes)
    if labels.size and (labels.min() < 0 or labels.max() >= len(classes)):
        raise ManifestError(
            f"targets run from {labels.min()} to {labels.max()}; "
            f"{len(classes)} classes allow 0 to {len(classes) - 1}"
        )
    return labels.astype(np.int64)


def _patient_names(patients: Sequence[Any]) -> list[str]:
    return ["" if pd.isna(name) else str(name) for name in patients]


def _check_shape(what: str, array: NDArray[Any], wanted: tuple[int, ...]) -> None:
    if array.shape != wanted:
        raise ManifestError(f"{what} have shape {array.shape}; {wanted} needed, one row an image")
