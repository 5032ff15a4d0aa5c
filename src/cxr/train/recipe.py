"""A training run as a list of phases, so that it can be continued in the middle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import UnknownName
from .keep import Callback
from .recorder import Recorder
from .schedule import Rates

if TYPE_CHECKING:
    from .learner import Learner


STRATEGIES = ("auto", "full", "cached")


@dataclass(frozen=True)
class Phase:
    """One cycle over `epochs`, with the layer groups before `first_group` frozen."""

    first_group: int
    epochs: int
    rates: Rates
    pct_start: float
    div: float = 25.0


@dataclass(frozen=True)
class Position:
    """The next epoch to train: `epoch` of phase number `phase`."""

    phase: int = 0
    epoch: int = 0


def fine_tune_phases(
    epochs: int,
    base_lr: float = 2e-3,
    freeze_epochs: int = 1,
    lr_mult: float = 100,
    pct_start: float = 0.3,
    div: float = 5.0,
    strategy: str = "full",
) -> list[Phase]:
    """fast.ai's two phases: the head alone, then the body too, at half the rate.

    `strategy` full: the whole body; cached: its upper half, on what the frozen lower half gives.
    """
    first_group = 1 if strategy == "cached" else 0
    head = Phase(-1, freeze_epochs, slice(base_lr), pct_start=0.99)
    rates = slice(base_lr / 2 / lr_mult, base_lr / 2)
    body = Phase(first_group, epochs, rates, pct_start, div)
    return [phase for phase in (head, body) if phase.epochs]


def resolve_strategy(name: str, pretrained: bool) -> str:
    """ "auto" is cached for a pretrained body and full for one that has everything to learn."""
    if name not in STRATEGIES:
        raise UnknownName("strategy", name, STRATEGIES)
    if name != "auto":
        return name
    return "cached" if pretrained else "full"


def run_phases(
    learner: Learner,
    phases: Sequence[Phase],
    cbs: Sequence[Callback] = (),
    start: Position = Position(),
) -> Recorder:
    """Trains phase after phase, from `start` on. Returns the last phase's record."""
    for number, phase in enumerate(phases):
        if number < start.phase:
            continue
        learner.freeze_to(phase.first_group)
        first = start.epoch if number == start.phase else 0
        if first < phase.epochs:
            learner.fit_one_cycle(
                phase.epochs,
                phase.rates,
                pct_start=phase.pct_start,
                div=phase.div,
                cbs=cbs,
                start_epoch=first,
            )
        else:
            learner.fits += 1  # it was finished before the run was interrupted
    return learner.recorder
