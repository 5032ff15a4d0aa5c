"""A trial of a sweep: one or several runs in folders of their own, in whatever process."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..._io import progress_disabled
from ..._io.run_files import METRICS
from ...config import RunConfig
from ...errors import CxrError, StorageError, UsageError
from ...train.resume.lock import locked
from ...train.resume.run_folder import check_folder

WAIT_S = 60  # for a process that is ending to let go of its folder
LONGEST = 300  # characters of a reason

Train = Callable[[RunConfig, Path], object]


@dataclass(frozen=True)
class Task:
    """Runs to train one after the other, each on `cpus` processors."""

    name: str
    runs: tuple[tuple[Path, RunConfig], ...]
    cpus: int = 1

    @property
    def done(self) -> bool:
        return all((folder / METRICS).is_file() for folder, _ in self.runs)


def run_task(task: Task, train: Train) -> str:
    """Trains what is not finished yet; returns why that failed, or "".

    Raises StorageError for a disk that is full or read-only and UsageError for a folder in use or
    of another run: with these no other trial would fare better.
    """
    with threads(task.cpus), progress_disabled():
        for folder, config in task.runs:
            if (folder / METRICS).is_file():
                continue
            wait_until_free(folder)
            check_folder(folder, config, METRICS)
            try:
                train(config, folder)
            except StorageError:
                raise
            except Exception as error:  # whatever it is, it is this trial's result
                return reason_of(error)
    return ""


def reason_of(error: BaseException) -> str:
    """One line."""
    said = " ".join(str(error).split())[:LONGEST]
    return said if isinstance(error, CxrError) else f"{type(error).__name__}: {said}"


@contextmanager
def threads(n: int) -> Iterator[None]:
    """So many in every library that computes: their number decides the last digits of a result."""
    import torch
    from threadpoolctl import threadpool_limits

    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        with threadpool_limits(n):
            yield
    finally:
        torch.set_num_threads(before)


def wait_until_free(folder: Path) -> None:
    """A killed sweep's last process may still be on its way out."""
    end = time.monotonic() + WAIT_S
    while True:
        try:
            with locked(folder):
                return
        except UsageError:
            if time.monotonic() > end:
                raise
        time.sleep(0.5)
