"""`train_ray`: workers that Ray starts, loses and starts again."""

from __future__ import annotations

import json
import os
import pickle
import signal
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd
import pytest

from cxr._io import progress_disabled
from cxr.config import RunConfig
from cxr.errors import DataError, TrainingError, UnknownName, UsageError
from cxr.find.phantom import write_phantom
from cxr.scale.train import run as train
from cxr.scale.train.coordinator import Coordinator, restart_policy, why_failed
from cxr.scale.train.resources import WorkerResources, capacity, equal_cpus, resources_for
from cxr.scale.train.run import attend, failed, outcome, train_ray
from cxr.scale.train.worker import WorkerJob, attempt, portable
from cxr.train.resume.stop import Stop, Stopped
from cxr.workflows.train import train_run


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> RunConfig:
    """In fp32 at a low rate: what differs between groups is rounding, which high rates amplify."""
    folder = tmp_path_factory.mktemp("ray") / "images"
    with progress_disabled():
        write_phantom(folder, n_images=60, seed=8, size=64)
    return RunConfig(
        data=str(folder),
        size=64,
        frame="whole",
        recipe="fine_tune",
        epochs=1,
        base_lr=1e-5,
        batch_size=8,
        explain=False,
        device="cpu",
        precision="fp32",
    )


def state_of(run: Path) -> int:
    """Changes with each state that is kept."""
    kept = run / "checkpoints" / "last.safetensors"
    return kept.stat().st_mtime_ns if kept.exists() else 0


@pytest.fixture
def once_kept() -> Iterator[Callable[[Path, Callable[[], None]], None]]:
    """Does something as soon as a training has kept a new state."""
    over, watching = threading.Event(), []

    def watch(run: Path, act: Callable[[], None]) -> None:
        before = state_of(run)

        def wait() -> None:
            while state_of(run) == before:
                if over.wait(0.01):
                    return
            act()

        watching.append(threading.Thread(target=wait))
        watching[-1].start()

    yield watch
    over.set()
    for thread in watching:
        thread.join()


def kill_leader(run: Path) -> None:
    os.kill(json.loads((run / "run.lock").read_text())["pid"], signal.SIGKILL)


@pytest.mark.filterwarnings("ignore::DeprecationWarning:ray")  # what Ray uses of Ray's own
def test_a_killed_worker_is_replaced_and_the_result_is_that_of_one_process(
    ray_here: Any,
    config: RunConfig,
    tmp_path: Path,
    once_kept: Any,
    capfd: pytest.CaptureFixture[str],
) -> None:
    one, run = tmp_path / "one", tmp_path / "two"
    train_run(config, one)
    capfd.readouterr()
    once_kept(run, lambda: kill_leader(run))
    result = train_ray(config, run, workers=2, checkpoint_seconds=0)
    said = capfd.readouterr().err
    assert said.count("2 processes") == 2  # begun, and after the kill
    assert said.count("worker 0 died; all go on from the last state (failure 1, 5 are") == 1
    assert said.count("going on at step") == 1
    assert result.folder == run and result.metrics["valid"]["n"] > 5
    assert {path.name for path in one.iterdir()} == {path.name for path in run.iterdir()}
    assert (one / "manifest.csv").read_bytes() == (run / "manifest.csv").read_bytes()
    chances = [
        pd.read_csv(folder / "predictions_valid.csv", index_col="path")["prob_PNEUMONIA"]
        for folder in (one, run)
    ]
    pd.testing.assert_series_equal(*chances, atol=2e-3, rtol=0)


# A worker, without Ray ----------------------------------------------------------------------------


def job(config: RunConfig, run: Path, resume: bool = False) -> WorkerJob:
    return WorkerJob(config, run, Path.cwd(), resume, 30.0)


def test_a_refusal_is_left_with_the_coordinator(config: RunConfig, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    coordinator = Coordinator()
    with pytest.raises(UsageError, match="is not empty and not a run"):
        attempt(job(config, tmp_path), coordinator)
    assert "is not empty and not a run" in str(coordinator.rejection())


def test_what_a_lost_worker_leads_to_is_tried_again(
    config: RunConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def train_in_group(*given: Any, **options: Any) -> None:
        raise TrainingError("another process of this training is gone") from RuntimeError("gloo")

    monkeypatch.setattr("cxr.workflows.train.train_in_group", train_in_group)
    coordinator = Coordinator()
    with pytest.raises(TrainingError):
        attempt(job(config, tmp_path / "run"), coordinator)
    assert not coordinator.is_over()


def test_a_signal_to_the_coordinator_stops_after_a_step(config: RunConfig, tmp_path: Path) -> None:
    coordinator = Coordinator(signal=15)
    with ThreadPoolExecutor() as thread:
        assert thread.submit(attempt, job(config, tmp_path / "run"), coordinator).result() is None
    said = "".join(coordinator.drain()[0])
    assert "to train on" in said and state_of(tmp_path / "run")
    assert not (tmp_path / "run" / "metrics.json").exists()


def test_one_that_died_after_its_last_file_has_finished(
    config: RunConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(
        "cxr.workflows.train.train_in_group", lambda *given, resume, **more: asked.append(resume)
    )
    coordinator = Coordinator()
    for _ in range(2):
        attempt(job(config, tmp_path / "run"), coordinator)
    monkeypatch.setenv("RANK", "1")
    attempt(job(config, tmp_path / "run"), coordinator)
    assert asked == [False, True, False] and coordinator.attempts == 2


# The command, without Ray -------------------------------------------------------------------------

SHARE = WorkerResources(2, 1, 0)


def test_what_workers_say_is_said_once_and_their_result_returned(
    capfd: pytest.CaptureFixture[str],
) -> None:
    fit, coordinator, stop = Future(), Coordinator(lines=["one\n", "two\n"]), Stop()
    fit.set_result("the result")
    attend(fit, coordinator, stop, SHARE)
    attend(fit, coordinator, stop, SHARE)
    assert capfd.readouterr().err == "one\ntwo\n"
    assert outcome(fit, coordinator, stop, Path("run")) == "the result"


def test_a_refusal_is_raised_in_the_place_of_rays_error() -> None:
    fit, coordinator = Future(), Coordinator(error=DataError("no images"))
    fit.set_exception(ValueError("many lines"))
    with pytest.raises(DataError, match="no images"):
        outcome(fit, coordinator, Stop(), Path("run"))
    with pytest.raises(ValueError, match="many lines"):
        outcome(fit, Coordinator(), Stop(), Path("run"))


@pytest.mark.parametrize("they_end", [True, False])
def test_a_signal_is_passed_on(they_end: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train, "GRACE_S", 0.0)
    monkeypatch.setattr(train, "END_S", 0.2)
    fit, coordinator = Future(), Coordinator()
    with Stop().listening() as stop:
        monkeypatch.setattr(coordinator, "stop", lambda signal: they_end and fit.set_result(None))
        stop.defers = True
        signal.raise_signal(signal.SIGTERM)
        attend(fit, coordinator, stop, SHARE)
        with pytest.raises(Stopped) as stopped:
            outcome(fit, coordinator, stop, Path("run"))
    assert stopped.value.exit_code == 143


def test_the_restart_policy_ends_what_is_over_and_says_what_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("ray", reason='needs Ray: pip install "cxr[ray]"')
    coordinator = Coordinator()
    monkeypatch.setattr("cxr.scale.train.coordinator.connect", lambda actor: actor)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Ray's own
        policy = restart_policy(coordinator, 1)
    for _ in range(2):
        policy.after_exception(None, {1: RuntimeError("The actor died unexpectedly")})
    said = ["worker 1 died; all go on from the last state (failure 1, 1 are allowed)\n"]
    assert coordinator.drain()[0] == said  # the second is the training's last word
    coordinator.reject(DataError("no images"))
    with pytest.raises(RuntimeError, match="end the same"):
        policy.after_exception(None, {0: RuntimeError("x")})


def test_too_many_failures_are_one_line() -> None:
    class Lost(Exception):
        worker_failures: ClassVar = {1: RuntimeError("The actor died\nfor\nmany reasons")}

    error = failed(Lost("lines\nof\ntext"), Path("runs/a"))
    assert "\n" not in str(error) and "at last: worker 1 died; " in str(error)
    assert "runs/a, and the same command goes on" in str(error)
    assert "at last: text;" in str(failed(ValueError("lines\nof\ntext"), Path("runs/a")))


# Shares of the cluster ----------------------------------------------------------------------------


def test_too_many_workers_are_refused(ray_here: Any, config: RunConfig, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no room for 3 workers .* has it for 2; take fewer"):
        train_ray(config, tmp_path / "run", workers=3)
    for wrong in (0, (2, 1), (0, 4)):
        with pytest.raises(UsageError, match="give a number above 0"):
            train_ray(config, tmp_path / "run", workers=wrong)


class Cluster:
    def __init__(self, *nodes: dict[str, float]) -> None:
        self.machines = [{"Alive": True, "Resources": node} for node in nodes]
        self.machines.append({"Alive": False, "Resources": {"CPU": 1000.0, "GPU": 1000.0}})

    def nodes(self) -> list[dict[str, Any]]:
        return self.machines


def test_each_worker_has_an_equal_share_of_what_is_there() -> None:
    config = RunConfig(data="images")
    one, gpus = Cluster({"CPU": 16.0}), {"CPU": 10.0, "GPU": 2.0}
    assert resources_for(one, config, (2, 2), (None, None), False) == WorkerResources(2, 8, 0)
    assert resources_for(one, config, (1, 3), (None, None), False) == WorkerResources(1, 5, 0)
    assert resources_for(one, config, (2, 2), (3, None), False) == WorkerResources(2, 3, 0)
    two = Cluster(gpus, gpus, {"CPU": 2.0})
    assert resources_for(two, config, (4, 4), (None, None), False) == WorkerResources(4, 5, 1)
    assert resources_for(two, config, (5, 5), (None, None), False) == WorkerResources(5, 3, 0)
    assert resources_for(two, config, (2, 9), (None, None), False) == WorkerResources(2, 5, 1)
    on_cpu = RunConfig(data="images", device="cpu")
    assert resources_for(two, on_cpu, (2, 2), (None, None), False) == WorkerResources(2, 10, 0)
    assert resources_for(two, config, (50, 50), (None, None), True) == WorkerResources(
        50, 1, 0
    )  # it may grow
    with pytest.raises(UsageError, match=r"no room for 5 workers with 1 CPU and 1 GPU each: .* 4"):
        resources_for(two, config, (5, 5), (1, 1), False)


def test_no_worker_spreads_over_two_nodes() -> None:
    nodes = [{"CPU": 3.0}, {"CPU": 3.0}]
    assert capacity(nodes, {"CPU": 2}) == 2
    assert equal_cpus(nodes, 3, 0) == 1


def test_without_a_gpu_of_its_own_a_worker_sees_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXR_CACHE_DIR", "there")
    found = WorkerResources(2, 3, 0).environment
    assert found.pop("CUDA_VISIBLE_DEVICES") == ""
    assert found == WorkerResources(2, 3, 1).environment
    assert found == {"CXR_CACHE_DIR": "there", "OMP_NUM_THREADS": "3", "CXR_CPUS": "3"}


def test_the_coordinator_keeps_the_first_refusal_and_hands_out_each_line_once() -> None:
    coordinator = Coordinator()
    assert (
        coordinator.begin_attempt() == 0
        and coordinator.begin_attempt() == 1
        and not coordinator.is_over()
    )
    coordinator.log("a\n")
    assert coordinator.drain() == (["a\n"], 2) and coordinator.drain() == ([], 2)
    coordinator.reject(DataError("first"))
    coordinator.reject(UsageError("second"))
    assert str(coordinator.rejection()) == "first" and coordinator.is_over()
    coordinator = Coordinator()
    coordinator.stop(15)
    assert coordinator.stop_signal() == 15 and coordinator.is_over()


def test_every_refusal_can_travel() -> None:
    for error in (UnknownName("backbone", "resnet81", ["resnet18"]), DataError("x")):
        there = pickle.loads(pickle.dumps(portable(error)))
        assert str(there) == str(error) and there.exit_code == error.exit_code


def test_a_dead_process_explains_what_the_others_say() -> None:
    gone = RuntimeError("Traceback\n  line\ncxr.errors.TrainingError: another is gone\n")
    assert why_failed({0: gone, 1: RuntimeError("The actor died unexpectedly")}) == "worker 1 died"
    assert why_failed({0: gone}) == "worker 0 failed (cxr.errors.TrainingError: another is gone)"
