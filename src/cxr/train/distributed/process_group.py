"""Several processes that train together, each on its share of every batch.

All draw the same random numbers, for whole batches, and take what falls on their share. So what one
process holds between two steps is what every other holds, and what a process alone would hold, up
to the rounding of sums. Nothing here depends on which processes there were before: a run may go on
with another number of them.
"""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from inspect import signature
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch import distributed as dist

from ...errors import TrainingError, UsageError
from ...pixels.resources import CPUS, available_cpus

Rows = TypeVar("Rows")

STORE = "CXR_GROUP"
"""Environment variable: where processes of one machine find each other (`workers`)."""

JOIN = timedelta(minutes=5)
"""Until all processes must be there."""

PATIENCE = timedelta(hours=6)
"""Afterwards they wait for the first one, which may have a large data set to decode."""

DDP = nn.parallel.DistributedDataParallel
# Newer versions of torch warn of the older name.
_SYNC = "forward_sync_buffers"
BUFFERS_STAY: dict[str, Any] = {
    _SYNC if _SYNC in signature(DDP).parameters else "broadcast_buffers": False
}
GONE = ("gloo", "nccl", "connection", "timed out", "timeout")


@dataclass(frozen=True)
class ProcessGroup:
    """`size` processes, of which this is number `rank`; a process alone by default.

    `control` is the group for messages between CPUs. All methods are called by all processes.
    """

    rank: int = 0
    size: int = 1
    control: Any = None

    @property
    def leads(self) -> bool:
        """The process that holds the run folder, writes and speaks."""
        return self.rank == 0

    @property
    def alone(self) -> bool:
        return self.size == 1

    def share(self, n: int) -> slice:
        """Of `n` things in a row, those of this process; shares differ by one at most."""
        return slice(n * self.rank // self.size, n * (self.rank + 1) // self.size)

    def own_part(self, rows: Rows) -> Rows:
        """This process's share of an array or a list."""
        return rows if self.alone else rows[self.share(len(rows))]  # type: ignore[index, arg-type]

    def all_reduce(self, values: Tensor) -> Tensor:
        """The sum over all processes, in place."""
        if not self.alone:
            dist.all_reduce(values, group=self.control if values.device.type == "cpu" else None)
        return values

    def maximum(self, number: int) -> int:
        if self.alone:
            return number
        most = torch.tensor([number])
        dist.all_reduce(most, op=dist.ReduceOp.MAX, group=self.control)
        return int(most)

    def broadcast(self, data: bytes) -> bytes:
        """What the leading process gave."""
        if self.alone:
            return data
        length = self.maximum(len(data) if self.leads else 0)
        sent = torch.zeros(length, dtype=torch.uint8)
        if self.leads and length:
            sent = torch.frombuffer(bytearray(data), dtype=torch.uint8)
        dist.broadcast(sent, src=0, group=self.control)
        return sent.numpy().tobytes()

    def disband(self) -> None:
        """The others are done: this process may use the whole machine."""
        if not self.alone:
            torch.set_num_threads(available_cpus())

    @contextmanager
    def leader_first(self) -> Iterator[None]:
        """One process of each machine goes through the block before the others do."""
        first = int(os.environ.get("LOCAL_RANK", self.rank)) == 0
        if not first:
            self.maximum(0)
        yield
        if first:
            self.maximum(0)

    def parallel(self, network: nn.Module) -> nn.Module:
        """`network`, whose gradients will be the mean over all processes."""
        if self.alone:
            return network
        # Of 1x1 weights, whose elements lie in the same order either way.
        warnings.filterwarnings("ignore", "Grad strides do not match bucket view strides")
        return DDP(network, **BUFFERS_STAY)


ALONE = ProcessGroup()


@contextmanager
def joined() -> Iterator[ProcessGroup]:
    """The group that this process belongs to, by torchrun's environment, ours or Ray's.

    Raises UsageError when the others cannot be reached, TrainingError when one is lost.
    """
    if dist.is_initialized():  # by Ray, which also ends it
        yield from _joined()
        return
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size < 2:
        yield ALONE
        return
    rank, local = int(os.environ["RANK"]), int(os.environ.get("LOCAL_RANK", "0"))
    backend = _backend(local)
    try:
        store = _meet(os.environ.get(STORE, "env://"), rank, size)
        dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=PATIENCE)
    except (RuntimeError, ValueError) as error:
        raise UsageError(
            f"process {rank} of {size} does not reach the others ({_first_line(error)}); start all "
            "of them with cxr train --workers or torchrun"
        ) from error
    try:
        yield from _joined()
    finally:
        dist.destroy_process_group()


def _meet(where: str, rank: int, size: int) -> Any:
    """The store at `where`, once all processes have been there."""
    store, _, _ = next(dist.rendezvous(where, rank, size, timeout=JOIN))
    store.set(f"here/{rank}", "yes")
    store.wait([f"here/{other}" for other in range(size)], JOIN)
    return dist.PrefixStore("cxr", store)


def _joined() -> Iterator[ProcessGroup]:
    # Of GPUs the messages of `control` would make the CPU wait for what they are at.
    control = dist.new_group(backend="gloo") if dist.get_backend() == "nccl" else None
    sharing = 1 if CPUS in os.environ else int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    threads = torch.get_num_threads()
    torch.set_num_threads(max(1, available_cpus() // sharing))
    try:
        yield ProcessGroup(dist.get_rank(), dist.get_world_size(), control)
    except RuntimeError as error:
        if not any(word in str(error).lower() for word in GONE):
            raise
        raise TrainingError(
            f"another process of this training is gone ({_first_line(error)}); the same command "
            "goes on from the last state"
        ) from error
    finally:
        torch.set_num_threads(threads)


def _backend(local: int) -> str:
    """NCCL where each process has a GPU of its own."""
    here = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    if not torch.cuda.is_available():
        return "gloo"
    if here > torch.cuda.device_count():
        raise UsageError(
            f"{here} processes share {torch.cuda.device_count()} GPUs; start one for each GPU, or "
            "hide the GPUs (CUDA_VISIBLE_DEVICES=) to train on the CPU"
        )
    torch.cuda.set_device(local)
    return "nccl"


def _first_line(error: BaseException) -> str:
    """Its first sentence, without the place in another library's source."""
    line = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return re.sub(r"^\[\S+\] ", "", line).partition(". ")[0][:200]
