"""Training by several processes on one machine or many, which Ray starts and starts again.

The state of a run lies in its folder and does not depend on how many processes there are. So a
group that lost a worker, or that is to have more or fewer, is ended, and the next goes on from
there. Ray Train keeps nothing of its own.
"""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from ..._io import say
from ...config import RunConfig
from ...errors import TrainingError, UsageError
from ...train.distributed.process_group import PATIENCE
from ...train.resume.checkpoint_callback import SECONDS
from ...train.resume.stop import Stop
from ..cluster import connected
from .coordinator import (
    Coordinator,
    connect,
    last_line,
    restart_policy,
    start_coordinator,
    why_failed,
)
from .resources import WorkerResources, resources_for
from .worker import GRACE_S, WorkerJob, work

if TYPE_CHECKING:
    from ...workflows.finish import RunResult

RAY_SETTINGS = {
    "RAY_TRAIN_V2_ENABLED": "1",
    # A machine that is taken away is noticed anyway, and the state is never old.
    "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0",
}
FAILURES = 5
LOOK_S = 0.5
QUIET_S = 30.0  # without any worker: then the wait is explained
END_S = 10.0


@dataclass(frozen=True)
class RayOptions:
    """Which cluster, by default one on this machine; None for what fits it best."""

    address: str | None = None
    cpus_per_worker: int | None = None
    gpus_per_worker: int | None = None
    max_failures: int = FAILURES


def train_ray(
    config: RunConfig,
    run: Path | str,
    *,
    workers: int | tuple[int, int],
    options: RayOptions | None = None,
    resume: bool = False,
    checkpoint_seconds: float = SECONDS,
    track: Sequence[str] = (),
) -> RunResult:
    """`train_run` by so many workers: a number, or (least, most) as there is room.

    The images and the folder `run` must have the same path on every machine. After a failure of a
    worker all go on from the last state, `options.max_failures` times; machines that the cluster
    drains are not counted. Each worker has an equal share of the CPUs and, where there are enough,
    a GPU.

    Raises what `train_run` raises, in whichever worker; UsageError when there is no such cluster or
    no room in it; TrainingError after too many failures: the same call goes on.
    """
    least, most = (workers, workers) if isinstance(workers, int) else workers
    if not 1 <= least <= most:
        raise UsageError(f"workers={workers}: give a number above 0, or the least and the most")
    options = options or RayOptions()
    os.environ.update(RAY_SETTINGS)
    run = Path(run)
    job = WorkerJob(config, run.absolute(), Path.cwd(), resume, checkpoint_seconds, tuple(track))
    with connected(options.address) as ray, TemporaryDirectory(prefix="cxr-ray-") as scratch:
        lost = (ray.exceptions.RayError, import_module("ray.train").TrainingFailedError)
        grows = bool(options.address or os.environ.get("RAY_ADDRESS"))
        share = resources_for(
            ray, config, (least, most), (options.cpus_per_worker, options.gpus_per_worker), grows
        )
        actor = start_coordinator()
        fit = _in_thread(partial(_fit, job, actor, workers, share, options.max_failures, scratch))
        with Stop().listening() as stop:
            try:
                attend(fit, connect(actor), stop, share)
                return outcome(fit, connect(actor), stop, run)
            except lost as error:
                stop.raise_if_requested()  # the signal may have gone to the whole session
                raise failed(error, run) from error


def _fit(
    job: WorkerJob,
    actor: Any,
    workers: int | tuple[int, int],
    share: WorkerResources,
    max_failures: int,
    scratch: str,
) -> RunResult | None:
    # Imported so, because type checkers see Ray's older interface.
    train, torch_train = import_module("ray.train"), import_module("ray.train.torch")
    backend = "nccl" if share.gpus else "gloo"
    trainer = torch_train.TorchTrainer(
        work,
        train_loop_config={"job": job, "coordinator": actor},
        torch_config=torch_train.TorchConfig(backend, timeout_s=int(PATIENCE.total_seconds())),
        scaling_config=train.ScalingConfig(
            num_workers=workers, use_gpu=share.gpus > 0, resources_per_worker=share.resources
        ),
        run_config=train.RunConfig(
            name="train",
            storage_path=scratch,
            failure_config=train.FailureConfig(max_failures=max_failures),
            callbacks=[restart_policy(actor, max_failures)],
            worker_runtime_env={"env_vars": share.environment},
        ),
    )
    result: RunResult | None = trainer.fit().return_value
    return result


def _in_thread(function: Callable[[], Any]) -> Future[Any]:
    """The main thread is left free for signals. Ends with the process at the latest."""
    future: Future[Any] = Future()

    def call() -> None:
        try:
            future.set_result(function())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=call, daemon=True).start()
    return future


def attend(
    fit: Future[RunResult | None], coordinator: Coordinator, stop: Stop, share: WorkerResources
) -> None:
    """Until the workers are done: says what they say, and tells them to stop."""
    stop.defers = True
    start, stopped = time.monotonic(), math.inf
    explained = False
    while not fit.done() and time.monotonic() - stopped < GRACE_S + END_S:
        wait([fit], LOOK_S)
        attempts = _pass_on_log(coordinator)
        if not (attempts or explained) and time.monotonic() - start > QUIET_S:
            explained = True
            say(f"Ray has not started {share} yet: there may be no room for them now")
        if stop.signal and stopped == math.inf:
            stopped = time.monotonic()
            coordinator.stop(stop.signal)
    _pass_on_log(coordinator)


def _pass_on_log(coordinator: Coordinator) -> int:
    lines, attempts = coordinator.drain()
    for line in lines:
        say(line.rstrip("\n"))
    return attempts


def outcome(
    fit: Future[RunResult | None], coordinator: Coordinator, stop: Stop, run: Path
) -> RunResult:
    """Raises what the workers could not do, and Stopped before anything else."""
    if not fit.done() or fit.exception() is not None:
        stop.raise_if_requested()
        rejection = coordinator.rejection()
        if rejection is not None:
            raise rejection
    result = fit.result(0)
    if result is None:
        stop.raise_if_requested()
        raise TrainingError(f"the workers left no result; look into {run}")
    return result


def failed(error: Exception, run: Path) -> TrainingError:
    failures = getattr(error, "worker_failures", None)
    why = why_failed(failures) if failures else last_line(error)
    return TrainingError(
        f"too many failures, at last: {why}; what is done lies in {run}, and the same command goes "
        "on from there"
    )
