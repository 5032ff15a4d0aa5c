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
class WorkerResources:
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
        variables = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        variables |= {"OMP_NUM_THREADS": f"{self.cpus}", CPUS: f"{self.cpus}"}
        return variables if self.gpus else variables | {"CUDA_VISIBLE_DEVICES": ""}


def resources_for(
    ray: Any,
    config: RunConfig,
    workers: tuple[int, int],
    each: tuple[int | None, int | None],
    grows: bool,
) -> WorkerResources:
    """A GPU each, where there is one for each, and as many CPUs as all can have.

    `workers`: the least and the most; `each`: the CPUs and GPUs of one, None for what there is.

    Raises UsageError when there is no room now, in a cluster that never `grows`.
    """
    (least, most), (cpus, gpus) = workers, each
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    if gpus is None:
        wanted = config.device == "auto" or config.device.startswith("cuda")
        gpus = int(wanted and capacity(nodes, {"GPU": 1}) >= least)
    if cpus is None:
        n_workers = min(most, capacity(nodes, {"CPU": 1, "GPU": gpus}))
        cpus = equal_cpus(nodes, n_workers, gpus)
    share = WorkerResources(least, cpus, gpus)
    there = capacity(nodes, share.resources)
    if there < least and not grows:
        raise UsageError(f"no room for {share}: Ray has it for {there}; take fewer --workers")
    return share


def capacity(nodes: Sequence[Node], wanted: Mapping[str, float]) -> int:
    """How many workers find room, none of which spreads over two nodes."""
    wanted = {name: n for name, n in wanted.items() if n}
    return sum(int(min(node.get(name, 0) // n for name, n in wanted.items())) for node in nodes)


def equal_cpus(nodes: Sequence[Node], workers: int, gpus: int) -> int:
    most = int(max(node.get("CPU", 0) for node in nodes))
    fitting = (n for n in range(most, 1, -1) if capacity(nodes, {"CPU": n, "GPU": gpus}) >= workers)
    return next(fitting, 1)
