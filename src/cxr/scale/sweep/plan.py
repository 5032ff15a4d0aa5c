"""What a sweep was asked to do, and whether a folder holds this very one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..._io import read_json
from ..._io.run_files import LOCK
from ...config import RunConfig
from ...errors import UsageError
from ...pixels.shards.index import is_shards
from ...train.resume.run_folder import differences
from .engines import Engine
from .space import Space, space_of

PLAN = "plan.json"
PLACES = ("data", "image_root", "quarantine", "weights")


@dataclass(frozen=True)
class Sweep:
    """What is looked for and how. `values`: setting -> those to try, of
    `cxr.scale.sweep.space.SWEPT`.

    `search` grid, or random for `trials` of the grid. `inner_folds` 1 sets a fifth of the outer
    training patients aside, k judges each of them once. `cpus` is the number of threads of a
    trial on any engine, as it decides the last digits of a result.
    """

    config: RunConfig
    values: Mapping[str, Sequence[Any]]
    search: str = "grid"
    trials: int | None = None
    inner_folds: int = 1
    cpus: int = 1
    engine: Engine = field(default_factory=Engine)

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


def plan_of(asked: Sweep, space: Space) -> dict[str, Any]:
    """What may not change while it is carried out, in JSON types."""
    plan = {
        "settings": vars(space.base),
        "space": space.varied,
        "search": asked.search,
        "trials": asked.trials,
        "inner_folds": asked.inner_folds,
        "cpus_per_trial": asked.cpus,
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
        strange = [p for p in out.iterdir() if not _left_over(p)] if out.is_dir() else [out]
        if out.exists() and strange:
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
    settings = RunConfig.from_dict({**before["settings"], "image_root": config.image_root})
    return differences(settings, config) + [
        f"{name} was {before.get(name)}, is {now[name]}"
        for name in now
        if name != "settings" and before.get(name) != now[name]
    ]


def _absolute(name: str, value: Any) -> Any:
    if name not in PLACES or value is None or (name == "weights" and value == "auto"):
        return value
    return str(Path(value).absolute())
