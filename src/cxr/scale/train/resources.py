"""How much of a Ray cluster each worker of a training gets."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...config import RunConfig
from ...errors import UsageError
from ...pixels.resources import CPUS

Node = Mapping[str, float]
PASSED_ON = ("CXR_CACHE_DIR",)


@dataclass(frozen=True)
class Share:
    """For each of at least `workers` workers."""

    workers: int
    cpus: int
    gpus: int

    def __str__(self) -> str:
        gpus = f" and {self.gpus} GPU" if self.gpus else ""
        return f"{self.workers} workers with {self.cpus} CPU{gpus} each"

    @property
    def resources(self) -> dict[str, float]:
        return {"CPU": self.cpus, **({"GPU": self.gpus} if self.gpus else {})}

    @property
    def environment(self) -> dict[str, str]:
        """Libraries see as much of a machine as the worker has of it."""
        found = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        found |= {"OMP_NUM_THREADS": f"{self.cpus}", CPUS: f"{self.cpus}"}
        return found if self.gpus else found | {"CUDA_VISIBLE_DEVICES": ""}


def share_of(
    ray: Any,
    config: RunConfig,
    least: int,
    most: int,
    cpus: int | None,
    gpus: int | None,
    grows: bool,
) -> Share:
    """A GPU each, where there is one for each, and as many CPUs as all can have.

    Raises UsageError when there is no room now, in a cluster that never `grows`.
    """
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    if gpus is None:
        wanted = config.device == "auto" or config.device.startswith("cuda")
        gpus = int(wanted and room(nodes, {"GPU": 1}) >= least)
    if cpus is None:
        workers = min(most, room(nodes, {"CPU": 1, "GPU": gpus}))
        cpus = equal_cpus(nodes, workers, gpus)
    share = Share(least, cpus, gpus)
    there = room(nodes, share.resources)
    if there < least and not grows:
        raise UsageError(f"no room for {share}: Ray has it for {there}; take fewer --workers")
    return share


def room(nodes: Sequence[Node], wanted: Mapping[str, float]) -> int:
    """So many workers find place, none of which spreads over two nodes."""
    wanted = {name: n for name, n in wanted.items() if n}
    return sum(int(min(node.get(name, 0) // n for name, n in wanted.items())) for node in nodes)


def equal_cpus(nodes: Sequence[Node], workers: int, gpus: int) -> int:
    most = int(max(node.get("CPU", 0) for node in nodes))
    fitting = (n for n in range(most, 1, -1) if room(nodes, {"CPU": n, "GPU": gpus}) >= workers)
    return next(fitting, 1)
