"""A worker's part of a training: runs in a process that Ray has started and joined to a group."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...config import RunConfig
from ...errors import CxrError, TrainingError, UsageError
from .coordinator import Coordinator, LogStream, connect

if TYPE_CHECKING:
    from ...workflows.finish import RunResult

LOOK_S = 1.0  # between two looks at the coordinator
GRACE_S = 20.0
"""After a signal, for the step at hand and the state after it."""


@dataclass(frozen=True)
class WorkerJob:
    """What every worker is to do; relative paths begin at `here`."""

    config: RunConfig
    run: Path
    here: Path
    resume: bool
    checkpoint_seconds: float
    track: tuple[str, ...] = ()


def work(given: dict[str, Any]) -> RunResult | None:
    """What Ray calls, with a `job` and the actor of a `coordinator`."""
    job: WorkerJob = given["job"]
    with suppress(OSError):  # a machine without that folder: absolute paths may do
        os.chdir(job.here)
    return attempt(job, connect(given["coordinator"]))


def attempt(job: WorkerJob, coordinator: Coordinator) -> RunResult | None:
    """The result in the leading worker; None in the others, and where a signal stopped all.

    Raises what is worth another try; what no other try would mend goes to the coordinator, too.
    """
    from ...train.resume.stop import Stopped

    leads = os.environ.get("RANK", "0") == "0"  # as Ray sets it, and torchrun does
    try:
        return _lead(job, coordinator) if leads else _share(job, job.resume)
    except Stopped:
        return None
    except CxrError as error:
        if not _of_a_lost_worker(error):
            coordinator.reject(portable(error))
        raise


def _lead(job: WorkerJob, coordinator: Coordinator) -> RunResult | None:
    from ..sweep.trials import wait_until_free

    again = coordinator.begin_attempt() > 0
    with _signals_from(coordinator), redirect_stderr(LogStream(coordinator)):
        wait_until_free(job.run)
        # One that died between its last file and its last word has finished the run.
        return _share(job, job.resume or again)


def _share(job: WorkerJob, resume: bool) -> RunResult | None:
    from ...workflows.train import train_in_group

    return train_in_group(
        job.config,
        job.run,
        resume=resume,
        checkpoint_seconds=job.checkpoint_seconds,
        track=job.track,
    )


@contextmanager
def _signals_from(coordinator: Coordinator) -> Iterator[None]:
    """One that the command hears stops all workers after the same step.

    Where no steps are made there is nothing to keep: the process just ends.
    """
    over = threading.Event()
    threading.Thread(target=_listen, args=(coordinator, over), daemon=True).start()
    try:
        yield
    finally:
        over.set()


def _listen(coordinator: Coordinator, over: threading.Event) -> None:
    from ...train.resume.stop import deliver

    while not (signal := coordinator.stop_signal()):
        if over.wait(LOOK_S):
            return
    until = time.monotonic() + GRACE_S
    while time.monotonic() < until:
        deliver(signal)  # again: training may only now begin to listen
        if over.wait(LOOK_S):
            return
    os._exit(1)


def _of_a_lost_worker(error: CxrError) -> bool:
    """`ProcessGroup` raises it from what the connection said."""
    return isinstance(error, TrainingError) and isinstance(error.__cause__, RuntimeError)


def portable(error: CxrError) -> CxrError:
    """Some kinds of UsageError are not made from their message."""
    return UsageError(str(error)) if isinstance(error, UsageError) else error
