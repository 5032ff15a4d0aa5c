"""What makes a predictions table whole. Every function raises ManifestError, or returns nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...errors import ManifestError

PROB, TRUE = "prob_", "true_"
SUM_TOLERANCE = 0.02  # probabilities rounded to bfloat16 miss 1 by up to this


def check_classes(classes: tuple[str, ...], multi_label: bool, positive: str | None) -> None:
    least = 1 if multi_label else 2
    if len(classes) < least:
        raise ManifestError(f"{len(classes)} classes (prob_ columns); at least {least} needed")
    if len(set(classes)) < len(classes) or "" in classes:
        raise ManifestError(f"classes {list(classes)!r}; every class needs a name of its own")
    two = len(classes) == 2 and not multi_label
    if positive not in (classes if two else (None,)):
        raise ManifestError(
            f"positive class {positive!r} does not fit the classes {', '.join(classes)}; "
            "it is one of two classes that exclude each other, else None"
        )


def check_columns(table: pd.DataFrame, classes: Sequence[str], multi_label: bool) -> None:
    truth = [TRUE + name for name in classes] if multi_label else ["label"]
    chances = [PROB + name for name in classes]
    needed = ["path", *truth, "patient", *chances, "predicted", "correct", "loss"]
    missing = [name for name in needed if name not in table.columns]
    if missing:
        raise ManifestError(f"column {missing[0]!r} is missing; needed: {', '.join(needed)}")
    stray = {name for name in table.columns if name.startswith(TRUE)} - set(truth)
    if stray:
        raise ManifestError(f"column {min(stray)!r} has no {PROB} column beside it")
    if table.empty:
        raise ManifestError("no predictions; at least one image is needed")
    if table["patient"].isna().any():
        raise ManifestError("column 'patient' holds a missing value; write '' where unknown")


def check_probabilities(
    chances: NDArray[np.float64], classes: Sequence[str], multi_label: bool
) -> None:
    bad = ~((chances >= 0) & (chances <= 1))  # written so that NaN is bad
    if bad.any():
        row, column = np.argwhere(bad)[0]
        raise ManifestError(
            f"column {PROB + classes[column]!r}, row {row + 1}: {chances[row, column]}; "
            "a probability from 0 to 1 is needed"
        )
    sums = chances.sum(axis=1)
    off = np.abs(sums - 1) > SUM_TOLERANCE
    if not multi_label and off.any():
        row = int(off.argmax())
        raise ManifestError(
            f"row {row + 1}: the probabilities sum to {sums[row]:.3f}; classes that exclude each "
            f"other sum to 1 (several labels an image need {TRUE} columns)"
        )


def check_truth(truth: NDArray[np.float64], classes: Sequence[str]) -> None:
    bad = ~(np.isnan(truth) | (truth == 0) | (truth == 1))
    if bad.any():
        row, column = np.argwhere(bad)[0]
        raise ManifestError(
            f"column {TRUE + classes[column]!r}, row {row + 1}: {truth[row, column]}; "
            "allowed are 1, 0 and blank"
        )


def class_indices(labels: pd.Series[Any], classes: Sequence[str]) -> NDArray[np.int64]:
    """(n,) int64; raises ManifestError at the first label that is no class."""
    codes = pd.Index(classes).get_indexer(pd.Index(labels)).astype(np.int64)
    if (codes < 0).any():
        row = int((codes < 0).argmax())
        raise ManifestError(
            f"column {labels.name!r}, row {row + 1}: {labels.iloc[row]!r} is no class; "
            f"classes: {', '.join(classes)}"
        )
    return codes
