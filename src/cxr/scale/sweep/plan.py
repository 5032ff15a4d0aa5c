"""What a sweep shall try: its settings, the grid that they make, and the trials drawn from it."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from math import prod
from pathlib import Path
from typing import Any

from ..._io import read_json
from ..._io.run_files import LOCK
from ...config import RunConfig
from ...errors import UnknownName, UsageError
from ...pixels.shards.index import is_shards
from ...train.resume.run_folder import differences
from ...workflows.train import check_settings
from .trials import TrialRunner

PLAN = "plan.json"
PLACES = ("data", "image_root", "quarantine", "weights")
SWEPT = (
    "backbone",
    "weights",
    "size",
    "frame",
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
        chosen = {}
        for name, values in reversed(self.varied.items()):
            index, place = divmod(index, len(values))
            chosen[name] = values[place]
        return {name: chosen[name] for name in self.varied}

    def default(self) -> dict[str, Any]:
        """What these settings are where nobody asks for others."""
        usual = {field.name: field.default for field in fields(RunConfig)}
        return {name: usual[name] for name in self.varied}


@dataclass(frozen=True)
class Sweep:
    """Which settings to try and how. `values`: a setting of SWEPT -> its values.

    `search` grid, or random for `trials` of the grid. `inner_folds` 1 sets a fifth of the outer
    training patients aside, k validates on each of them once. `cpus` is the number of threads of a
    trial on any engine, as it decides the last digits of a result.
    """

    config: RunConfig
    values: Mapping[str, Sequence[Any]]
    search: str = "grid"
    trials: int | None = None
    inner_folds: int = 1
    cpus: int = 1
    engine: TrialRunner = field(default_factory=TrialRunner)

    def __post_init__(self) -> None:
        if self.cpus < 1:
            raise UsageError(f"{self.cpus} processors for a trial; give 1 or more")
        if is_shards(self.config.data):
            raise UsageError(
                f"{self.config.data} holds shards, which another split cannot be cut from; give "
                "the images that they were made of"
            )

    def space(self) -> Space:
        """With absolute paths, as workers may run elsewhere."""
        config = replace(self.config, **{n: _absolute(n, getattr(self.config, n)) for n in PLACES})
        values = {name: [_absolute(name, one) for one in v] for name, v in self.values.items()}
        return space_of(config, values)


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


def plan_of(sweep: Sweep, space: Space) -> dict[str, Any]:
    """What may not change while it is carried out, in JSON types."""
    plan = {
        "settings": vars(space.base),
        "space": space.varied,
        "search": sweep.search,
        "trials": sweep.trials,
        "inner_folds": sweep.inner_folds,
        "cpus_per_trial": sweep.cpus,
    }
    same: dict[str, Any] = json.loads(json.dumps(plan))
    return same


def check_folder(out: Path, config: RunConfig, plan: Mapping[str, Any]) -> None:
    """Raises UsageError, with the difference, unless `out` is new or holds a sweep of this plan."""
    if out.resolve().is_relative_to(Path(config.data).resolve()):
        raise UsageError(
            f"{out} lies inside {config.data}, where its figures would count as images; choose "
            "another --out folder"
        )
    if not (out / PLAN).is_file():
        others = [p for p in out.iterdir() if not _left_over(p)] if out.is_dir() else [out]
        if out.exists() and others:
            raise UsageError(f"{out} is not empty and not a sweep; choose another --out folder")
        return
    changed = _changes(read_json(out / PLAN), plan, config)
    if changed:
        raise UsageError(
            f"{out} holds another sweep: {'; '.join(changed)}; give these to go on, or choose "
            "another --out folder"
        )


def _left_over(path: Path) -> bool:
    """By a sweep that was killed before it had a plan."""
    return path.name == LOCK or path.name.endswith(".part")


def _changes(before: dict[str, Any], now: Mapping[str, Any], config: RunConfig) -> list[str]:
    """In words. Where the images lie is free; which they are shows in the table of the split."""
    settings = RunConfig.from_dict(
        {"frame": "whole", **before["settings"], "image_root": config.image_root}
    )
    return differences(settings, config) + [
        f"{name} was {before.get(name)}, is {now[name]}"
        for name in now
        if name != "settings" and before.get(name) != now[name]
    ]


def _absolute(name: str, value: Any) -> Any:
    if name not in PLACES or value is None or (name == "weights" and value == "auto"):
        return value
    return str(Path(value).absolute())
