"""Against a real MLflow server on this machine, and a database beside the run."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from cxr.track import read_log, tracking
from cxr.track.log import LOG
from cxr.track.mlflow_sink import FILES, IDS, connect

pytest.importorskip("mlflow", reason='MLflow is not installed: pip install "cxr[track]"')

EPOCHS = ((0, 0), (1, 0), (1, 1))
START_S = 280  # on a machine that is busy


class Server:
    """`mlflow server` with one worker, on a free port of this machine."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.uri = f"http://127.0.0.1:{port}"
        options = {
            "--host": "127.0.0.1",
            "--port": port,
            "--workers": 1,
            "--backend-store-uri": f"sqlite:///{(folder / 'mlflow.db').as_posix()}",
            "--artifacts-destination": folder / "artifacts",
        }
        self.said = folder / "server.txt"
        with self.said.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "mlflow", "server"]
                + [str(one) for pair in options.items() for one in pair],
                env={
                    **os.environ,
                    "MLFLOW_DISABLE_TELEMETRY": "true",
                    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
                },
                cwd=folder,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # so that its worker ends with it
            )

    def wait(self) -> None:
        end = time.monotonic() + START_S
        while time.monotonic() < end and self.process.poll() is None:
            try:
                with urllib.request.urlopen(f"{self.uri}/health", timeout=2):
                    return
            except OSError:
                time.sleep(0.1)
        self.kill()
        pytest.fail(f"no MLflow server: {self.said.read_text(errors='replace')[-2000:]}")

    def kill(self) -> None:
        self.signal(getattr(signal, "SIGKILL", signal.SIGTERM))
        self.process.wait()

    def signal(self, number: int) -> None:
        if self.process.poll() is None:
            if os.name == "nt":
                self.process.kill()
            else:
                os.killpg(self.process.pid, number)


@pytest.fixture(scope="module", autouse=True)
def starting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """It takes seconds, in which the first test goes its own way."""
    server = Server(tmp_path_factory.mktemp("mlflow"))
    yield server
    server.kill()


@pytest.fixture
def server(starting: Server) -> Server:
    starting.wait()
    return starting


@pytest.fixture
def train(learner_after):
    def train(track, epochs=EPOCHS):
        for phase, epoch in epochs:
            track.after_epoch(learner_after(phase, epoch), epoch)

    return train


def only_run(uri: str, experiment: str):
    client = connect(uri)
    found = client.get_experiment_by_name(experiment)
    (run,) = client.search_runs([found.experiment_id])
    return client, run


def points(client, run, name: str) -> list[tuple[int, float]]:
    history = client.get_metric_history(run.info.run_id, name)
    return sorted((point.step, point.value) for point in history)


ALONE = """
import socket, sys, threading
from pathlib import Path
from types import SimpleNamespace
from cxr.config import RunConfig
from cxr.track import tracking

def refuse(self, address, *rest):
    raise AssertionError(f"a connection to {address}")

socket.socket.connect = socket.socket.connect_ex = refuse
run = Path(sys.argv[1])
recorder = SimpleNamespace(values=[[0.5, 0.4]], times=[2.0], lrs=[1e-3])
batches = SimpleNamespace(train=SimpleNamespace(n_images=40))
learner = SimpleNamespace(fits=1, recorder=recorder, metric_names=(), dls=batches)
with tracking(RunConfig.read(run / "config.yaml"), run, ("mlflow",)) as track:
    track.after_epoch(learner, 0)
from mlflow.telemetry import get_telemetry_client
assert get_telemetry_client() is None
assert not [thread.name for thread in threading.enumerate() if "elemetry" in thread.name]
"""


def test_by_default_a_database_beside_the_run_and_nobody_is_called(config, run):
    """In a process where MLflow has no test to notice, and so would send what it counts."""
    hidden = ("CI", "PYTEST", "MLFLOW", "GITHUB", "DO_NOT_TRACK", "RUNBOT")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", ALONE, str(run)],
        env={name: value for name, value in os.environ.items() if not name.startswith(hidden)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "" and len(done.stderr.splitlines()) == 1, done.stderr
    assert {path.name for path in run.parent.iterdir()} == {run.name, "mlflow.db"}
    _, kept = only_run(f"sqlite:///{(run.parent / 'mlflow.db').as_posix()}", "cxr")
    assert kept.data.metrics["valid_loss"] == 0.4
    assert kept.info.artifact_uri.startswith((run.parent / "mlartifacts").as_uri())
    assert json.loads((run / IDS).read_text()) == {"mlflow.db#cxr": kept.info.run_id}


def test_everything_appears(server, config, run, finish, train, tmp_path, capsys):
    with tracking(config, run, (f"mlflow:{server.uri}",)) as track:
        train(track)
        result = finish(run)
        track.finished(result)
    said = capsys.readouterr()
    assert said.out == ""  # which is for results
    assert said.err == f"tracked in MLflow: experiment cxr at {server.uri}\n"
    client, kept = only_run(server.uri, "cxr")
    assert (kept.info.run_name, kept.info.status) == (run.name, "FINISHED")
    assert kept.data.params == {name: str(value) for name, value in vars(config).items()}
    assert kept.data.tags["cxr.population"] == "80 phantoms" and kept.data.tags["cxr.version"]
    assert kept.data.tags["mlflow.note.content"] == "# Model card\n\nOf phantoms."
    assert not {"mlflow.user", "mlflow.source.git.commit"} & set(kept.data.tags)
    assert points(client, kept, "train_loss") == [(0, 0.5), (1, 0.4), (2, 0.39)]
    assert points(client, kept, "auroc") == [(0, 0.875), (1, 0.875), (2, 0.925)]
    assert points(client, kept, "learning_rate") == [(1, 1e-3), (2, 1e-3)]
    for name in ("auroc", "error_rate", "sensitivity"):
        figure = result.metrics["valid"][name]
        ends = {"": figure["value"], "_low": figure["low"], "_high": figure["high"]}
        for end, value in ends.items():
            assert kept.data.metrics[f"valid_{name}{end}"] == pytest.approx(value)
    assert kept.data.metrics["valid_n"] == 80
    there = {file.path for file in client.list_artifacts(kept.info.run_id)}
    assert there == {*FILES, "figures"}
    drawn = {file.path for file in client.list_artifacts(kept.info.run_id, "figures")}
    assert drawn == {f"figures/{file.name}" for file in (run / "figures").iterdir()} != set()
    model = client.download_artifacts(kept.info.run_id, "model.cxr", str(tmp_path))
    assert Path(model).read_bytes() == (run / "model.cxr").read_bytes()


def test_going_on_is_the_same_run_without_doubled_points(server, config, run, finish, train):
    sink = f"mlflow:{server.uri}#going-on"
    with tracking(config, run, (sink,)) as track:
        train(track, EPOCHS[:2])
    client, kept = only_run(server.uri, "going-on")
    assert kept.info.status == "KILLED"
    with tracking(config, run, (sink,)) as track:
        assert client.get_run(kept.info.run_id).info.status == "RUNNING"
        train(track, EPOCHS[1:])  # the last epoch was not kept, and is trained again
        result = finish(run)
        track.finished(result)
    with tracking(config, run, (sink,)) as track:  # killed before it knew of its end
        track.finished(result)
    client, kept = only_run(server.uri, "going-on")
    assert kept.info.status == "FINISHED"
    for name, n in (("valid_loss", 3), ("auroc", 3), ("valid_auroc", 1), ("valid_auroc_low", 1)):
        assert len(points(client, kept, name)) == n, name
    assert json.loads((run / IDS).read_text()) == {f"{server.uri}#going-on": kept.info.run_id}


def test_a_run_that_was_deleted_there_begins_anew_and_whole(server, config, run, train):
    sink = f"mlflow:{server.uri}#deleted"
    with tracking(config, run, (sink,)) as track:
        train(track, EPOCHS[:1])
    client, kept = only_run(server.uri, "deleted")
    client.delete_run(kept.info.run_id)
    with tracking(config, run, (sink,)) as track:
        train(track, EPOCHS[1:])
    client, anew = only_run(server.uri, "deleted")
    assert anew.info.run_id != kept.info.run_id
    assert [step for step, _ in points(client, anew, "valid_loss")] == [0, 1, 2]


def test_an_error_ends_it_as_failed_on_the_server_that_mlflow_knows(
    server, config, run, monkeypatch
):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.uri)
    with pytest.raises(ZeroDivisionError), tracking(config, run, ("mlflow:#failed",)):
        1 / 0  # noqa: B018
    assert only_run(server.uri, "failed")[1].info.status == "FAILED"


@pytest.mark.skipif(os.name == "nt", reason="Windows cannot hold a process")
def test_a_server_that_hangs_for_a_while_has_all_in_the_end(
    server, config, run, finish, train, capsys, monkeypatch
):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    with tracking(config, run, (f"mlflow:{server.uri}#hangs",)) as track:
        train(track, EPOCHS[:1])
        server.signal(signal.SIGSTOP)
        try:
            train(track, EPOCHS[1:])
        finally:
            server.signal(signal.SIGCONT)
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")
        track.finished(finish(run))
    client, kept = only_run(server.uri, "hangs")
    assert kept.info.status == "FINISHED"
    assert [step for step, _ in points(client, kept, "valid_loss")] == [0, 1, 2]
    (said,) = [line for line in capsys.readouterr().err.splitlines() if "goes on" in line]
    assert said.startswith("mlflow: timed out; training goes on")


def test_a_server_that_dies_ends_nothing(server, config, run, finish, train, capsys):
    """The last test of the server."""
    with tracking(config, run, (f"mlflow:{server.uri}#dies",)) as track:
        train(track, EPOCHS[:1])
        server.kill()
        train(track, EPOCHS[1:])
        track.finished(finish(run))
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("mlflow: ")]
    assert len(said) == 2
    assert "; training goes on without it" in said[0]  # by the moment: refused, reset, ...
    assert said[1] == "mlflow: Connection refused; this run is not whole there, the run folder is"
    assert [line["event"] for line in read_log(run / LOG)] == ["begin", *["epoch"] * 3, "end"]
