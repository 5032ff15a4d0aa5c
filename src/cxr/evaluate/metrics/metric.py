"""A metric: a name, a function of a sample and weights, and why it may be undefined."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .sample import Floats, Mask, ratio


@dataclass(frozen=True)
class Metric:
    """`of(sample, weights)` gives (r,) values; `undefined` is the reason where one is NaN.

    `recentre` marks a figure that resampling inflates: its interval is moved so that the
    resamples' mean lies on the estimate.
    """

    name: str
    of: Callable[[Any, Floats], Floats]
    undefined: str
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

    return Proportion(name, of, undefined, parts=parts)
