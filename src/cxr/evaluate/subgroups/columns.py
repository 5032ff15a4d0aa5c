"""A column of any kind -> named groups of images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...errors import UsageError
from ..predictions import Predictions
from .privacy import (
    CHOOSE,
    FEWEST_NUMBERS,
    SHARE,
    SHARE_OF_NUMBERS,
    check_name,
    check_values,
    words,
)

STAGES_OF_LIFE = (1, 5, 12, 18, 40, 65, 80)  # years: infant, toddler, child, adolescent, adult...
OLDEST = 120  # years; what is above, or below 0, is a slip of the pen
FEW_VALUES = 6  # numbers of so few values are names in disguise: a grade, a machine
LONGEST_NAME = 60
TRUTHS = {"true": "yes", "yes": "yes", "false": "no", "no": "no"}
Numbers = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Subgroup:
    """`rows` (m,) int64: the images of a subgroup."""

    name: str
    rows: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class SubgroupColumn:
    """`groups` hold every image but the `missing` ones: numbers by size, others by frequency."""

    groups: tuple[Subgroup, ...]
    missing: int


def split_column(name: str, values: Sequence[Any], predictions: Predictions) -> SubgroupColumn:
    """The groups of a column of n values, one an image; None, NaN and blanks are missing.

    Numbers of more than six values are binned: ages in years (a column with that word in its
    name) by stages of life, with impossible ones missing; others at their rounded quartiles.
    Raises UsageError, which holds no value, for another length than n, nothing but blanks, and a
    column that tells who a patient is: by its name, by holding the patients' own names, or as
    nearly everyone has a value of their own.
    """
    check_name(name)
    if len(values) != len(predictions):
        raise UsageError(
            f"column {name!r} has {len(values):,} values for {len(predictions):,} images; "
            "give one for each image"
        )
    ages = "age" in words(name)
    cells = pd.Series(list(values), dtype=object).map(_tidy)
    numbers = _numbers(cells)
    if numbers is not None and ages:
        numbers[(numbers < 0) | (numbers > OLDEST)] = np.nan
    known = cells.notna().to_numpy() if numbers is None else ~np.isnan(numbers)
    if not known.any():
        raise UsageError(f"column {name!r} is blank for every image; {CHOOSE}")
    shown = [_shown(cell) if there else "" for cell, there in zip(cells, known, strict=True)]
    check_values(
        name, shown, predictions.patient_groups, list(predictions.patients),
        _shared_share(numbers, ages, predictions),
    )  # fmt: skip
    groups = _named(shown) if numbers is None else _numbered(name, numbers, ages)
    return SubgroupColumn(tuple(groups), int((~known).sum()))


def _tidy(value: Any) -> Any:
    """None where missing; text without needless spaces."""
    if isinstance(value, str):
        text = " ".join(value.split())
        return text if text.lower() not in ("", "nan") else None
    return None if pd.isna(value) else value


def _numbers(cells: pd.Series[Any]) -> Numbers | None:
    """(n,) with NaN where missing; None where a value is no finite number."""
    if cells.map(lambda cell: isinstance(cell, bool | np.bool_)).any():
        return None
    try:
        numbers = pd.to_numeric(cells).to_numpy(np.float64, copy=True)
    except (ValueError, TypeError):
        return None
    return None if np.isinf(numbers).any() else numbers


def _shown(cell: Any) -> str:
    text = _text(cell) if isinstance(cell, float) else str(cell)
    return TRUTHS.get(text.lower(), text)


def _shared_share(numbers: Numbers | None, ages: bool, predictions: Predictions) -> float:
    """How many values a patient make an identifier. Only whole numbers can be one."""
    if numbers is None:
        return SHARE
    known = numbers[~np.isnan(numbers)]
    few = len(known) < FEWEST_NUMBERS
    return np.inf if ages or few or (known != np.round(known)).any() else SHARE_OF_NUMBERS


def _named(shown: list[str]) -> list[Subgroup]:
    rows: dict[str, list[int]] = {}
    for row, value in enumerate(shown):
        if value:
            rows.setdefault(value, []).append(row)
    often = sorted(rows, key=lambda value: (-len(rows[value]), value))
    return [Subgroup(value[:LONGEST_NAME], np.array(rows[value])) for value in often]


def _numbered(name: str, numbers: Numbers, ages: bool) -> Iterator[Subgroup]:
    values = np.unique(numbers[~np.isnan(numbers)])
    if len(values) > FEW_VALUES or ages:
        for text, rows in bins(numbers, ages):
            yield Subgroup(f"{name} {text}", rows)
    else:
        for value in values:
            yield Subgroup(f"{name} {_text(value)}", np.flatnonzero(numbers == value))


def bins(numbers: Numbers, ages: bool = False) -> Iterator[tuple[str, NDArray[np.int64]]]:
    """Names such as "1 to 4" and the rows of each bin that is not empty, by rising value.

    `numbers` (n,), NaN where missing: rows that no bin has. Bins end at stages of life or, for
    other numbers, at their quartiles, rounded to a tenth or less of the spread between them.
    """
    known = numbers[~np.isnan(numbers)]
    cuts = STAGES_OF_LIFE if ages else quartile_cuts(known)
    whole = ages or bool((known == np.round(known)).all())
    place = np.where(np.isnan(numbers), -1, np.searchsorted(cuts, numbers, side="right"))
    for i, name in enumerate(_bin_names(cuts, whole)):
        rows = np.flatnonzero(place == i)
        if len(rows):
            yield name, rows


def quartile_cuts(numbers: Numbers) -> tuple[float, ...]:
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


def _bin_names(cuts: Sequence[float], whole: bool) -> Iterator[str]:
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
