"""Killed without warning, at any moment: afterwards the same table as if nothing had happened."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cxr._io import progress_disabled
from cxr.find.phantom import write_phantom

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")

STEPS = '''
"""Writes a table again and again, killed at its first, second, ... step on the disk."""
import os, signal, sys
from io import BufferedRandom
from pathlib import Path
from cxr.apply.batch import table as module
from cxr.apply.batch.table import ResumableTable

module.COMMIT_EVERY_S = 0.0
COLUMNS = ["path", "prob_A", "error"]
ROWS = [{"path": f"{i}.png", "prob_A": i / 7, "error": None if i % 3 else "bad"} for i in range(5)]

def work(out):
    with ResumableTable(out, {"model": "abc"}, COLUMNS) as table:
        while table.rows < len(ROWS) and not table.finished:
            table.append(ROWS[table.rows : table.rows + 2])
        table.finish()

def doomed(out, fatal):
    """`work`, killed before its step number `fatal`, or in the middle where that can be torn."""
    step = 0
    def counted(real, torn=lambda *a: None):
        def call(*arguments, **options):
            nonlocal step
            step += 1
            if step == fatal:
                torn(*arguments)
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*arguments, **options)
        return call
    class File:
        """What has been written may be on disk or not: here a half of it is."""
        def __init__(self, file):
            self.file = file
            self.write = counted(file.write, self.half)
            self.truncate = counted(file.truncate)
            self.flush = counted(file.flush)
        def half(self, data):
            self.file.write(data[: len(data) // 2])
            self.file.flush()
        def __getattr__(self, name):
            return getattr(self.file, name)
        def __enter__(self):
            return self
        def __exit__(self, *error):
            self.file.close()
    real_open = Path.open
    def opened(path, mode="r", *arguments, **options):
        file = real_open(path, mode, *arguments, **options)
        return File(file) if "b" in mode and mode != "rb" else file
    os.fsync = counted(os.fsync)
    Path.open, Path.replace = opened, counted(Path.replace)
    Path.unlink = counted(Path.unlink)
    work(out)

suffix, folder = sys.argv[1], Path(sys.argv[2])
work(folder / f"expected.{suffix}")
expected = (folder / f"expected.{suffix}").read_bytes()
if suffix == "parquet":
    import pyarrow.parquet  # once, not in every child
fatal, killed = 0, True
while killed:
    fatal += 1
    own = folder / str(fatal)
    own.mkdir()
    out = own / f"rows.{suffix}"
    child = os.fork()
    if child == 0:
        doomed(out, fatal)
        os._exit(0)
    killed = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    if out.exists():
        assert out.read_bytes() == expected, (fatal, "seen before it was whole")
    work(out)
    assert out.read_bytes() == expected, fatal
    left = {path.name for path in own.iterdir()} - {out.name}
    assert not left, (fatal, left)
print(fatal)
'''

PREDICTION = '''
"""Predicts with a network of numpy, which loads in no time."""
import sys, time
from pathlib import Path
import numpy as np
from cxr._io import progress_disabled
from cxr.apply.batch import list_images, predict_table, rows, table
from cxr.apply.engine import NetworkOutputs
from cxr.apply.decision.rules import DecisionRules
from cxr.apply.predictor import Predictor
from cxr.bundle.config import BundleConfig

class Engine:
    name = "onnx"
    def run(self, pixels):
        time.sleep(0.01)  # so that there is time to be killed
        x = pixels.reshape(len(pixels), -1).astype(np.float32) / 255
        rng = np.random.default_rng(0)
        logits = (x @ rng.normal(size=(x.shape[1], 2))).astype(np.float32)
        return NetworkOutputs(logits, x[:, :8], x[:, :4])

config = BundleConfig(
    classes=("NORMAL", "PNEUMONIA"), positive="PNEUMONIA", backbone="test", size=48
)
predictor = Predictor(Path("model.cxr"), "0" * 64, DecisionRules(config, None), Engine())
rows.CHUNK, table.COMMIT_EVERY_S = 8, 0.0
with progress_disabled():
    done = predict_table(predictor, list_images([Path(sys.argv[1])]), Path(sys.argv[2]))
assert done.images == 200
'''


def python(script: str, *arguments: object) -> list[str]:
    return [sys.executable, "-c", script, *map(str, arguments)]


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_killed_before_or_within_every_step_on_the_disk(suffix: str, tmp_path: Path) -> None:
    done = subprocess.run(python(STEPS, suffix, tmp_path), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 25, "steps"


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """200 images, of which three are none."""
    folder = tmp_path_factory.mktemp("many") / "phantom"
    with progress_disabled():
        write_phantom(folder, n_images=197, seed=1, size=64)
    for name in ("A.png", "NORMAL/zero.jpeg", "z.dcm"):
        (folder / name).write_bytes(b"" if "zero" in name else b"no image")
    return folder


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_kill_9_at_random_moments(suffix: str, films: Path, tmp_path: Path) -> None:
    whole, out = tmp_path / f"whole.{suffix}", tmp_path / f"rows.{suffix}"
    subprocess.run(python(PREDICTION, films, whole), check=True)
    rng, journal, killed = random.Random(suffix), Path(f"{out}.part.json"), 0
    for goal in sorted(rng.sample(range(8, 190), 2)):
        process = subprocess.Popen(python(PREDICTION, films, out))
        while process.poll() is None and rows_in(journal) < goal:
            time.sleep(0.001)
        time.sleep(rng.uniform(0, 0.01))
        process.kill()
        killed += process.wait() != 0
        assert not out.exists() or out.read_bytes() == whole.read_bytes()
    assert killed > 0, "too fast to be killed: more images are needed"
    subprocess.run(python(PREDICTION, films, out), check=True)
    assert out.read_bytes() == whole.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([out.name, whole.name])


def rows_in(journal: Path) -> int:
    try:
        return int(json.loads(journal.read_text())["rows"])
    except FileNotFoundError:
        return 0
