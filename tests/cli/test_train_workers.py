"""`cxr train --workers N`: the command, its processes and what becomes of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from cxr._io import progress_disabled
from cxr.find.phantom import write_phantom

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals are those of Unix")
# At a low rate, in fp32: what differs between groups is rounding, which high rates amplify.
SETTINGS = (
    "--size 64 --frame whole --backbone efficientnet_lite0 --batch-size 16 --no-explain "
    "--precision fp32"
)
QUIET = "--recipe fine_tune --lr 1e-5 --epochs 3 --freeze-epochs 1"


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("workers") / "images"
    with progress_disabled():
        write_phantom(folder, n_images=60, seed=8, size=64)
    return folder


def command(films: Path, run: Path, workers: int, *more: str) -> list[str]:
    options = [*SETTINGS.split(), "--workers", str(workers), *more]
    return [sys.executable, "-m", "cxr", "train", str(films), "--run", str(run), *options]


def settings(films: Path) -> dict[str, str]:
    cache = str(films.parent / "cache")
    return {**os.environ, "OMP_NUM_THREADS": "1", "CXR_CACHE_DIR": cache}


def train(films: Path, run: Path, workers: int, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(films, run, workers, *more),
        env=settings(films),
        cwd=films.parent,
        capture_output=True,
        text=True,
        timeout=200,
    )


def probabilities(run: Path) -> pd.Series:
    table = pd.read_csv(run / "predictions_valid.csv")
    return table.set_index("path")["prob_PNEUMONIA"]


def children(process: subprocess.Popen[str]) -> list[int]:
    listed = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    return [int(pid) for pid in listed.read_text().split()]


def lose_one(films: Path, run: Path) -> str:
    """Two processes train until their first state is kept; then one is killed. What was said."""
    state = run / "checkpoints" / "last.safetensors"
    process = subprocess.Popen(
        command(films, run, 2, *QUIET.split()),
        env=settings(films),
        cwd=films.parent,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 120
    while not state.exists():
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.05)
    (other,) = children(process)
    os.kill(other, signal.SIGKILL)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 1, said
    assert not Path(f"/proc/{other}").exists()
    return said


@pytest.mark.skipif(sys.platform != "linux", reason="children are found in /proc")
def test_two_processes_one_of_them_lost_end_with_what_one_ends_with(
    films: Path, tmp_path: Path
) -> None:
    said = lose_one(films, tmp_path / "2")
    assert "goes on from" in said.splitlines()[-1] and "Traceback" not in said
    one = train(films, tmp_path / "1", 1, *QUIET.split())
    two = train(films, tmp_path / "2", 2, *QUIET.split())
    assert one.returncode == two.returncode == 0, one.stderr + two.stderr
    assert ", 2 processes" in two.stderr and "going on at step" in two.stderr
    assert two.stdout.count("valid:") == 1 and two.stderr.count("valid:") == 0
    found = [probabilities(tmp_path / n) for n in ("1", "2")]
    pd.testing.assert_series_equal(*found, atol=2e-3, rtol=0)
    split = [(tmp_path / n / "manifest.csv").read_bytes() for n in ("1", "2")]
    assert split[0] == split[1]


def test_what_cannot_be_done_by_so_many_is_one_line(films: Path, tmp_path: Path) -> None:
    done = train(films, tmp_path / "run", 2, "--batch-size", "2", *QUIET.split())
    assert done.returncode == 2
    assert "2 processes are too many for batches of 2" in done.stderr.splitlines()[-1]
    assert not (tmp_path / "run" / "run.lock").exists()
