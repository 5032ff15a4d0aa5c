"""A metric: a name, a function of a sample and weights, and why it may be undefined."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from typing import Any

from ..._stats.bootstrap import ratio
from .sample import Floats, Mask


@dataclass(frozen=True)
class Metric:
    """`of(sample, weights)` gives (r,) values; `undefined` is the reason where one is NaN.

    `bounds` are the least and the greatest value it can have. `recentre` marks a figure that noise
    inflates, and that resampling inflates once more.
    """

    name: str
    of: Callable[[Any, Floats], Floats]
    undefined: str
    bounds: tuple[float, float] = (-inf, inf)
    recentre: bool = False


@dataclass(frozen=True)
class Proportion(Metric):
    """Images that hit among images that count: `parts(sample)` gives the two (n,) masks.

    Kept apart from other metrics as a proportion has an exact interval.
    """

    parts: Callable[[Any], tuple[Mask, Mask]] = field(kw_only=True)


def proportion(
    name: str, parts: Callable[[Any], tuple[Mask, Mask]], undefined: str = "no images"
) -> Proportion:
    def of(sample: Any, weights: Floats) -> Floats:
        hits, trials = parts(sample)
        return ratio(weights @ (hits & trials), weights @ trials)

    return Proportion(name, of, undefined, (0.0, 1.0), parts=parts)
