"""Trials, each one or several runs in folders of their own, and who runs them.

This process runs them one by one, or Ray Tune side by side.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ... import errors
from ..._io import progress_disabled, scratch_path
from ..._io.run_files import METRICS
from ..._io.text import error_text
from ...config import EngineKind, RunConfig, require_one_of
from ...errors import CxrError, StorageError, UsageError
from ...train.resume.lock import locked
from ...train.resume.run_folder import check_folder
from ..cluster import connected

WAIT_S = 60  # for a process that is ending to let go of its folder
LONGEST = 300  # characters of a reason

RETRIES = 2  # of a trial whose process died: it goes on from its last state
QUIET = {
    "RAY_AIR_NEW_OUTPUT": "0",  # it prints even where it is told not to
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # Ctrl-C must end the sweep, not the trials alone
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
}

Train = Callable[[RunConfig, Path], object]
Finished = Callable[["TrialTask", str], None]


@dataclass(frozen=True)
class TrialTask:
    """Runs to train one after the other, each on `cpus` processors."""

    name: str
    runs: tuple[tuple[Path, RunConfig], ...]
    cpus: int = 1

    @property
    def done(self) -> bool:
        return all((folder / METRICS).is_file() for folder, _ in self.runs)


@dataclass(frozen=True)
class TrialRunner:
    """`workers` trials at once, by default as many as there is room for; each with a share of a
    GPU if `gpus` is above 0. `address` of a running cluster, else RAY_ADDRESS, else this machine.
    """

    name: str = "local"
    workers: int | None = None
    gpus: float = 0.0
    address: str | None = None

    def __post_init__(self) -> None:
        require_one_of("engine", self.name, EngineKind)
        if self.name == "local" and (self.workers or 1) > 1:
            raise UsageError(
                f"{self.workers} workers: the local engine runs one trial after the other; take "
                "the engine ray"
            )

    @contextmanager
    def ready(self) -> Iterator[None]:
        """One connection for several calls of `run`. Ray prints that a process died on stdout,
        which is for results."""
        if self.name == "local":
            yield
            return
        with redirect_stdout(sys.stderr), connected(self.address):
            yield

    def run(
        self, tasks: Sequence[TrialTask], train: Train, finished: Finished, scratch: Path
    ) -> None:
        """Runs what is not done, and calls `finished` with each task and why it failed, or "".

        Raises what ends all of them: StorageError for the disk, UsageError for a folder in use or
        a cluster that is not there or too small.
        """
        waiting = [task for task in tasks if not task.done]
        if self.name == "local":
            for task in waiting:
                finished(task, run_task(task, train))
        elif waiting:
            self._by_ray(waiting, train, finished, scratch)

    def _by_ray(
        self, tasks: Sequence[TrialTask], train: Train, finished: Finished, scratch: Path
    ) -> None:
        with _quiet(), connected(self.address) as ray, scratch_path(scratch) as storage:
            from ray import tune

            share = {"CPU": max(task.cpus for task in tasks), "GPU": self.gpus}
            _check_room(ray.cluster_resources(), share)

            def trial(chosen: dict[str, int]) -> dict[str, str]:
                return _run_in_worker(tasks[chosen["task"]], train)

            class Listener(tune.Callback):
                def on_trial_complete(
                    self, iteration: int, trials: list[Any], trial: Any, **_: Any
                ) -> None:
                    if not trial.last_result["ends_all"]:
                        finished(tasks[trial.config["task"]], trial.last_result["reason"])

            results: Any = tune.Tuner(
                tune.with_resources(trial, {k.lower(): v for k, v in share.items()}),
                param_space={"task": tune.grid_search(list(range(len(tasks))))},
                tune_config=tune.TuneConfig(max_concurrent_trials=self.workers),
                run_config=tune.RunConfig(
                    name="tune",
                    storage_path=str(storage.absolute()),
                    verbose=0,
                    callbacks=[Listener()],
                    failure_config=tune.FailureConfig(max_failures=RETRIES),
                ),
            ).fit()
            for result in results:
                if result.error is not None:
                    finished(tasks[result.config["task"]], _why_it_died(result.error))
                elif result.metrics["ends_all"]:
                    raise getattr(errors, result.metrics["ends_all"])(result.metrics["reason"])


def _run_in_worker(task: TrialTask, train: Train) -> dict[str, str]:
    """What travels back from a worker: text, as Tune keeps results as JSON."""
    try:
        return {"reason": run_task(task, train), "ends_all": ""}
    except CxrError as error:
        return {"reason": reason_of(error), "ends_all": type(error).__name__}


def _why_it_died(error: BaseException) -> str:
    return (
        f"its process died {RETRIES + 1} times ({type(error).__name__}), for lack of memory perhaps"
    )


def _check_room(there: dict[str, float], wanted: dict[str, float]) -> None:
    for kind, n in wanted.items():
        if n > there.get(kind, 0):
            raise UsageError(
                f"a trial wants {n:g} {kind}, the Ray cluster has {there.get(kind, 0):g} in all; "
                "give trials less or the cluster more"
            )


@contextmanager
def _quiet() -> Iterator[None]:
    """Tune neither prints nor logs, and leaves the working folder and Ctrl-C alone."""
    log, before = logging.getLogger("ray.tune"), {name: os.environ.get(name) for name in QUIET}
    level = log.level
    os.environ.update(QUIET)
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(level)
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def run_task(task: TrialTask, train: Train) -> str:
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
    said = error_text(error, LONGEST)
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
