"""Cross-validation: one of k parts validates, each patient in exactly one part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...errors import DataError, UsageError
from .base import DrawnSplitter, Labels, Patients, Split
from .groups import class_flags, group_names


@dataclass(frozen=True)
class KFoldPatientSplitter(DrawnSplitter):
    """Part `fold` (from 0) of `n_splits` validates; stratified by label, grouped by patient.

    Source: scikit-learn's StratifiedGroupKFold, given the items in a fixed order. An item with
    several labels counts as its rarest one. Raises UsageError for a fold that is not there,
    DataError when a class has fewer patients than there are folds.
    """

    n_splits: int = 5
    fold: int = 0
    seed: int = 42

    def __post_init__(self) -> None:
        if self.n_splits < 2:
            raise UsageError(f"n_splits={self.n_splits}: give at least 2")
        if not 0 <= self.fold < self.n_splits:
            raise UsageError(f"fold={self.fold}: give 0 to {self.n_splits - 1}")

    def split(
        self, items: Sequence[Any], labels: Labels | None, patients: Patients | None
    ) -> Split:
        from sklearn.model_selection import StratifiedGroupKFold

        names, flags = class_flags(items, labels)
        groups = np.array(group_names(items, patients), dtype=str)
        self._require_patients(names, flags, groups)
        strata = _rarest_class(flags)
        order = np.lexsort((strata, groups))  # the same folds for any order of the items
        folds = StratifiedGroupKFold(self.n_splits, shuffle=True, random_state=self.seed)
        parts = list(folds.split(order, strata[order], groups[order]))
        train, valid = parts[self.fold]
        return sorted(order[train].tolist()), sorted(order[valid].tolist())

    def _require_patients(self, names: Sequence[str], flags: Any, groups: Any) -> None:
        for name, has_class in zip(names, flags.T, strict=True):
            n_patients = len(set(groups[has_class]))
            if n_patients < self.n_splits:
                raise DataError(
                    f"class {name!r} has {n_patients} patients, fewer than {self.n_splits} folds; "
                    "lower n_splits or add images of other patients"
                )


def _rarest_class(flags: Any) -> Any:
    """For each item the rarest of its classes, or one number more for an item of no class."""
    weights = np.where(flags, flags.sum(axis=0), len(flags) + 1)
    return np.where(flags.any(axis=1), weights.argmin(axis=1), flags.shape[1])
