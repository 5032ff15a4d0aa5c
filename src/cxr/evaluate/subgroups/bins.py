"""Numbers in a few groups with names in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

STAGES_OF_LIFE = (1, 5, 12, 18, 40, 65, 80)  # years: infant, toddler, child, adolescent, adult...
OLDEST = 120  # years; what is above, or below 0, is a slip of the pen


def bins(
    numbers: NDArray[np.float64], ages: bool = False
) -> Iterator[tuple[str, NDArray[np.int64]]]:
    """Names such as "1 to 4" and the rows of each bin that is not empty, by rising value.

    `numbers` (n,), NaN where missing: rows that no bin has. Bins end at stages of life or, for
    other numbers, at their quartiles, rounded to a tenth or less of the spread between them.
    """
    known = numbers[~np.isnan(numbers)]
    cuts = STAGES_OF_LIFE if ages else quartile_cuts(known)
    whole = ages or bool((known == np.round(known)).all())
    place = np.where(np.isnan(numbers), -1, np.searchsorted(cuts, numbers, side="right"))
    for i, name in enumerate(_names(cuts, whole)):
        rows = np.flatnonzero(place == i)
        if len(rows):
            yield name, rows


def quartile_cuts(numbers: NDArray[np.float64]) -> tuple[float, ...]:
    """At most three, rising; each parts some of the numbers from others."""
    quartiles = np.quantile(numbers, [0.25, 0.5, 0.75])
    spread = quartiles[2] - quartiles[0]
    if spread > 0:
        digits = -int(np.floor(np.log10(spread / 2)))
        quartiles = np.round(quartiles, digits)
    inside = (quartiles > numbers.min()) & (quartiles <= numbers.max())
    if not inside.any():  # most have the lowest value: they against the rest
        return (float(numbers[numbers > numbers.min()].min()),)
    return tuple(float(cut) for cut in np.unique(quartiles[inside]))


def _names(cuts: Sequence[float], whole: bool) -> Iterator[str]:
    yield f"under {_text(cuts[0])}"
    for low, high in pairwise(cuts):
        if not whole:
            yield f"{_text(low)} to under {_text(high)}"
        elif high - low <= 1:
            yield _text(low)
        else:
            yield f"{_text(low)} to {_text(np.ceil(high) - 1)}"
    yield f"{_text(cuts[-1])} and over"


def _text(number: float) -> str:
    return f"{number:.12g}"
