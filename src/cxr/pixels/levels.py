"""Counting and mapping pixel values, a few rows at a time: numpy makes 8-byte copies of indices."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

_AT_A_TIME = 1 << 20


def histogram(values: np.ndarray, n: int) -> np.ndarray:
    """How often each of 0 to `n` - 1 occurs in `values` (H, W) of unsigned integers."""
    counts = np.zeros(n, np.int64)
    for rows in _row_blocks(values):
        counts += np.bincount(values[rows].ravel(), minlength=n)
    return counts


def look_up(table: np.ndarray, values: np.ndarray) -> np.ndarray:
    """`table[values]` for (H, W) `values`, as `table`'s dtype."""
    found = np.empty(values.shape, table.dtype)
    for rows in _row_blocks(values):
        found[rows] = table[values[rows]]
    return found


def _row_blocks(values: np.ndarray) -> Iterator[slice]:
    height, width = values.shape
    step = max(1, _AT_A_TIME // width)
    return (slice(top, top + step) for top in range(0, height, step))
