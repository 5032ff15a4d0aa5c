"""What makes a predictions table whole. Every function raises ManifestError, or returns nothing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...errors import ManifestError

PROB, TRUE = "prob_", "true_"
SUM_TOLERANCE = 0.02  # probabilities rounded to bfloat16 miss 1 by up to this


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
