"""The settings that a sweep tries: some of a run's own, each with a few values."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from math import prod
from typing import Any

from ...config import RunConfig
from ...errors import UnknownName, UsageError
from ...workflows.train import check_settings

SWEPT = (
    "backbone",
    "weights",
    "size",
    "recipe",
    "epochs",
    "freeze_epochs",
    "strategy",
    "base_lr",
    "batch_size",
    "augment",
    "class_weights",
    "label_smoothing",
)
SEARCHES = ("grid", "random")


@dataclass(frozen=True)
class Trial:
    """One setting: `settings` are those that vary, `config` is the whole, on all the data."""

    name: str
    settings: dict[str, Any]
    config: RunConfig


@dataclass(frozen=True)
class Space:
    """`varied`: setting -> its values, two or more; `base` holds all others."""

    base: RunConfig
    varied: dict[str, tuple[Any, ...]]

    @property
    def size(self) -> int:
        return prod(len(values) for values in self.varied.values())

    def at(self, index: int) -> dict[str, Any]:
        """Setting `index` of the grid; the last name varies fastest."""
        found = {}
        for name, values in reversed(self.varied.items()):
            index, place = divmod(index, len(values))
            found[name] = values[place]
        return {name: found[name] for name in self.varied}

    def default(self) -> dict[str, Any]:
        """What these settings are where nobody asks for others."""
        usual = {field.name: field.default for field in fields(RunConfig)}
        return {name: usual[name] for name in self.varied}


def space_of(config: RunConfig, values: Mapping[str, Sequence[Any]]) -> Space:
    """`config` with the lists of `values`; a list of one sets that setting for all.

    Raises UnknownName for what is no setting of a sweep, UsageError for an empty list.
    """
    for name, some in values.items():
        if name not in SWEPT:
            raise UnknownName("setting of a sweep", name, SWEPT)
        if not some:
            raise UsageError(f"no value for {name}; give one or more, joined by commas")
    once = {name: tuple(dict.fromkeys(some)) for name, some in values.items()}
    fixed = {name: some[0] for name, some in once.items() if len(some) == 1}
    varied = {name: once[name] for name in SWEPT if name in once and name not in fixed}
    return Space(replace(config, **fixed), varied)


def trials_of(space: Space, search: str = "grid", n: int | None = None) -> list[Trial]:
    """Every setting of the grid, or `n` of them drawn by the seed of the run.

    Raises UsageError for a value that no run takes, before any is trained.
    """
    trials = []
    indices = _chosen(space, search, n)
    for number, index in enumerate(indices, start=1):
        settings = space.at(index)
        config = replace(space.base, **settings)
        check_settings(config)
        name = f"{number:0{max(2, len(str(len(indices))))}d}"
        trials.append(Trial(name, settings, config))
    return trials


def _chosen(space: Space, search: str, n: int | None) -> Sequence[int]:
    if search not in SEARCHES:
        raise UnknownName("search", search, SEARCHES)
    if search == "grid":
        if n is not None and n != space.size:
            raise UsageError(
                f"{n} trials, but the grid has {space.size:,} settings; leave the number out, or "
                "draw some of them with a random search"
            )
        return range(space.size)
    if n is None:
        raise UsageError("a random search needs the number of trials to draw")
    if not 1 <= n <= space.size:
        raise UsageError(f"{n} trials; the grid has 1 to {space.size:,} settings to draw from")
    return sorted(random.Random(space.base.seed).sample(range(space.size), n))


def in_words(settings: Mapping[str, Any]) -> str:
    """`backbone resnet18, size 96`."""
    return ", ".join(f"{name} {value}" for name, value in settings.items()) or "as given"
