"""A training run as a list of phases, so that it can be continued in the middle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

from ..config import Recipe, Strategy
from ..errors import UnknownName
from .schedule import Rates

STRATEGIES, RECIPES = get_args(Strategy), get_args(Recipe)


@dataclass(frozen=True)
class Phase:
    """One cycle over `epochs`, with the layer groups before `first_group` frozen."""

    first_group: int
    epochs: int
    rates: Rates
    pct_start: float
    div: float = 25.0


@dataclass(frozen=True)
class HeadPhase:
    """The head alone, by regression on features of `views` passes over the images."""

    views: int
    first_group: int = -1
    epochs: int = 1


AnyPhase = Phase | HeadPhase


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


def robust_phases(
    epochs: int, base_lr: float = 2e-3, views: int = 1, strategy: str = "full"
) -> list[AnyPhase]:
    """The head to its optimum, then one cycle of the body at a rate that the head hardly follows.

    With images changed at random as other machines would have made them
    (`Augmentation.robust`), the upper layers gain from a high rate what they would lose to it on
    plain ones: `docs/log.md` has the figures.
    """
    first_group = 1 if strategy == "cached" else 0
    body = Phase(first_group, epochs, [base_lr / 2, base_lr / 2, base_lr / 20], 0.3, 5.0)
    return [phase for phase in (HeadPhase(views), body) if phase.epochs and phase != HeadPhase(0)]


def phases_of(
    recipe: str, epochs: int, base_lr: float, freeze_epochs: int, strategy: str
) -> Sequence[AnyPhase]:
    """Of the recipe of that name. Raises UnknownName with those that there are."""
    if recipe == "robust":
        return robust_phases(epochs, base_lr, freeze_epochs, strategy)
    if recipe == "fine_tune":
        return fine_tune_phases(epochs, base_lr, freeze_epochs, strategy=strategy)
    raise UnknownName("recipe", recipe, RECIPES)


def resolve_strategy(name: str, pretrained: bool) -> str:
    """ "auto" is cached for a pretrained body and full for one that has everything to learn."""
    if name not in STRATEGIES:
        raise UnknownName("strategy", name, STRATEGIES)
    if name != "auto":
        return name
    return "cached" if pretrained else "full"
