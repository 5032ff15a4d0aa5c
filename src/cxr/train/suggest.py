"""Four readings of a learning-rate range test, by fast.ai's names and with its results.

Each takes the rates and the smoothed losses of the test, as arrays of one length, and returns a
rate. The curve's first tenth and last five points are cut off before (see `lr_finder`).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class SuggestedRates(NamedTuple):
    valley: float
    steep: float
    minimum: float
    slide: float


def valley(rates: np.ndarray, losses: np.ndarray) -> float:
    """Two thirds down the longest stretch of falling losses (ESRI's rule).

    The stretch is the longest decreasing subsequence; its start is counted back from its end.
    """
    longest = np.ones(len(losses), dtype=int)
    for i in range(1, len(losses)):
        higher = losses[:i] > losses[i]
        if higher.any():
            longest[i] = longest[:i][higher].max() + 1
    end = int(longest.argmax()) if longest.max() > 1 else 0
    start = end - longest[end] if end else 0
    third = (end - start) / 3
    return float(rates[start + int(third) + int(third / 2)])


def steep(rates: np.ndarray, losses: np.ndarray) -> float:
    """Where the loss falls fastest over log rate."""
    slope = np.diff(losses) / np.diff(np.log(rates))
    return float(rates[slope.argmin()])


def minimum(rates: np.ndarray, losses: np.ndarray) -> float:
    """A tenth of the rate with the lowest loss."""
    return float(rates[losses.argmin()]) / 10


def slide(
    rates: np.ndarray, losses: np.ndarray, width: int = 15, threshold: float = 0.005
) -> float:
    """The interval slide rule: from the right, the first interval with equal slopes at its ends."""
    slope = np.gradient(losses)
    right, left = -1, -1 - width
    rate = rates[left]
    while left >= -len(losses) and abs(slope[right] - slope[left]) > threshold:
        rate = rates[left]
        right, left = right - 1, left - 1
    return float(rate)


def suggest(rates: np.ndarray, losses: np.ndarray) -> SuggestedRates:
    return SuggestedRates(
        valley(rates, losses), steep(rates, losses), minimum(rates, losses), slide(rates, losses)
    )
