"""Learning rate and momentum over a run, as functions of the share of the run that is done.

Source: L. N. Smith, "A disciplined approach to neural network hyper-parameters" (2018), in the
cosine form that fast.ai made common; the numbers agree with fast.ai's at every step.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..errors import UsageError

Curve = Callable[[float], float]
Rates = float | slice | Sequence[float]


def cosine(start: float, end: float) -> Curve:
    return lambda done: start + (1 - math.cos(math.pi * done)) * (end - start) / 2


def exponential(start: float, end: float) -> Curve:
    return lambda done: start * (end / start) ** done


def constant(value: float) -> Curve:
    return lambda done: value


def one_cycle(pct_start: float, start: float, middle: float, end: float) -> Curve:
    """Cosine from `start` to `middle` over the first `pct_start` of the run, then to `end`."""
    rise, fall = cosine(start, middle), cosine(middle, end)

    def curve(done: float) -> float:
        if done < pct_start:
            return rise(done / pct_start)
        return fall(min(1.0, (done - pct_start) / (1 - pct_start)))

    return curve


@dataclass(frozen=True)
class Schedule:
    """A rate curve for each layer group, from input to output, and one momentum curve."""

    rates: tuple[Curve, ...]
    momentum: Curve


def rates_of_groups(rates: Rates, n_groups: int) -> tuple[float, ...]:
    """One rate for each layer group.

    A number is for all; `slice(hi)` gives the body a tenth of the head's; `slice(lo, hi)` spreads
    evenly on a log scale. Raises UsageError for a rate that is not positive or a wrong count.
    """
    values: Sequence[float]
    if isinstance(rates, slice):
        if rates.stop is None:
            raise UsageError("slice() of learning rates needs an end: slice(hi) or slice(lo, hi)")
        if rates.start:
            values = _even_steps(float(rates.start), float(rates.stop), n_groups)
        else:
            values = [rates.stop / 10] * (n_groups - 1) + [rates.stop]
    elif isinstance(rates, Sequence):
        values = rates
    else:
        values = [rates] * n_groups
    if len(values) != n_groups:
        raise UsageError(f"{len(values)} learning rates for {n_groups} layer groups")
    for value in values:
        if not 0 < value < math.inf:
            raise UsageError(f"learning rate {value!r} is not a positive number")
    return tuple(float(value) for value in values)


def _even_steps(lo: float, hi: float, n: int) -> list[float]:
    """`n` values from `lo` to `hi`, each the same factor from the last."""
    if n == 1:
        return [hi]
    return [lo * (hi / lo) ** (i / (n - 1)) for i in range(n)]


def one_cycle_schedule(
    rates: Sequence[float],
    *,
    pct_start: float,
    div: float,
    div_final: float,
    momenta: tuple[float, float, float],
) -> Schedule:
    """`rates` are the peaks; each group starts at peak/div and ends at peak/div_final."""
    if not 0 < pct_start < 1:
        raise UsageError(f"pct_start {pct_start!r} is not between 0 and 1")
    return Schedule(
        tuple(one_cycle(pct_start, peak / div, peak, peak / div_final) for peak in rates),
        one_cycle(pct_start, *momenta),
    )


def flat_schedule(rates: Sequence[float], momentum: float) -> Schedule:
    return Schedule(tuple(constant(rate) for rate in rates), constant(momentum))


def range_test_schedule(start: float, end: float, n_groups: int, momentum: float) -> Schedule:
    return Schedule((exponential(start, end),) * n_groups, constant(momentum))
