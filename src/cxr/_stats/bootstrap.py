"""The patient bootstrap: patients are drawn with replacement, and bring all their images.

Images of one patient resemble each other, so drawing images one by one would promise too much
(Field and Welsh, 2007). Beside it the jackknife, which leaves patients out in turn, and what
figures of weighted images are made of.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

CELLS_AT_ONCE = 2_000_000  # resamples x images held in memory: 16 MB of weights


def patient_weights(
    groups: NDArray[np.int64], resamples: int, seed: int
) -> Iterator[NDArray[np.float64]]:
    """Yields weights (r, n), in all `resamples` rows: how often each image is in each resample.

    `groups` (n,) int64 from 0 without gaps, one number a patient.
    """
    rng = np.random.default_rng(seed)
    patients = int(groups.max()) + 1
    rows = max(1, CELLS_AT_ONCE // len(groups))
    for start in range(0, resamples, rows):
        r = min(rows, resamples - start)
        drawn = rng.integers(patients, size=(r, patients))
        drawn += np.arange(r)[:, None] * patients
        counts = np.bincount(drawn.ravel(), minlength=r * patients).reshape(r, patients)
        yield counts.astype(np.float64)[:, groups]


def patients_left_out(groups: NDArray[np.int64], parts: int) -> Iterator[NDArray[np.float64]]:
    """Yields weights (r, n), in all `parts` rows: 0 for the images of one part of the patients.

    `groups` (n,) as in `patient_weights`. Parts are drawn at random, always alike, and differ by
    one patient at most.
    """
    drawn = np.random.default_rng(0).permutation(int(groups.max()) + 1)
    part = drawn[groups] % parts
    rows = max(1, CELLS_AT_ONCE // len(groups))
    for start in range(0, parts, rows):
        left_out = np.arange(start, min(start + rows, parts))
        yield (part != left_out[:, None]).astype(np.float64)


def running_sum(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """(r, n) -> (r, n + 1): column i holds the sum of the first i columns."""
    sums = np.zeros((len(weights), weights.shape[1] + 1))
    np.cumsum(weights, axis=1, out=sums[:, 1:])
    return sums


def ratio(numerator: NDArray[np.float64], denominator: NDArray[np.float64]) -> NDArray[np.float64]:
    """Their quotient, NaN where the denominator is 0; both of one shape."""
    return np.divide(
        numerator, denominator, out=np.full(denominator.shape, np.nan), where=denominator > 0
    )
