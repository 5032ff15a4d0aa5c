"""`cxr predict --engine ray` over many files, some of them damaged, with processes killed (-9).

The local engine makes a table of the same files in the same run. Then Ray makes it: once in peace,
once while one of its workers is killed in the midst, and once while the command itself is killed
and begun again. Each time every file must be there exactly once, with the row of the local engine.

`command_per_s` counts files by the time of the whole command. `job_per_s` leaves out what the same
command takes for one file: for Ray mostly its own start.

    python benchmarks/ray_predict.py --model runs/a/model.cxr
"""

from __future__ import annotations

import csv
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil

from _bench import add_trial_options, arguments, available_cpus, report

IMAGES, DAMAGED, PART = 20_000, 0.01, 1024
COMMAND = [sys.executable, "-c", "from cxr.cli import main; main()", "predict"]
WORKER = "ray::MapWorker"


def make_files(data: Path, n: int, folder: Path, seed: int) -> Path:
    """`n` names for the images of `data`, hard links where that can be, some of them damaged;
    returns one that is whole."""
    images = sorted(path for path in data.rglob("*.jp*g") if path.is_file())
    rng = random.Random(seed)
    damaged = set(rng.sample(range(1, n), max(1, round(n * DAMAGED))))
    for i in range(n):
        image, name = images[i % len(images)], folder / f"{i // 1000:03}" / f"{i:07}.jpeg"
        name.parent.mkdir(exist_ok=True, parents=True)
        if i in damaged:
            content = image.read_bytes()
            name.write_bytes(rng.choice((content[: len(content) // 3], b"no image", b"")))
            continue
        try:
            os.link(image, name)
        except OSError:
            shutil.copy(image, name)
    return folder / "000" / "0000000.jpeg"


def table(out: Path) -> list[dict[str, str]]:
    with out.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def run(
    command: list[str], out: Path, spoil: Callable[[Any], int], code: int = 1
) -> dict[str, Any]:
    """Until the table is there. `spoil` kills what it likes of a running process. Exit code 1:
    some files are damaged."""
    start, kills = time.perf_counter(), 0
    while True:
        process = subprocess.Popen(
            [*command, "--out", str(out)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        kills += spoil(process)
        _, said = process.communicate()
        if process.returncode == code and out.exists():
            return {"command_s": time.perf_counter() - start, "kills": kills}
        if process.returncode != -signal.SIGKILL:
            sys.exit(f"cxr predict failed ({process.returncode}): {said.decode()}")


def start_of(command: list[str], out: Path) -> float:
    """Seconds that the command takes for one file."""
    return run(command, out, spared, code=0)["command_s"]


def spared(process: Any) -> int:
    return 0


def when_half_done(out: Path, n: int, kill: Callable[[Any], None]) -> Callable[[Any], int]:
    """A spoiler that strikes once, or at once where the files are too few for a half."""
    struck: list[bool] = []
    goal = min(n // 2, n - PART) // PART

    def spoil(process: Any) -> int:
        while not struck and process.poll() is None:
            parts = list(Path(f"{out}.parts").glob("part-*.parquet"))
            if len(parts) >= goal and next(workers_of(process), None):
                kill(process)
                struck.append(True)
                return 1
            time.sleep(0.05)
        return 0

    return spoil


def kill_worker(process: Any) -> None:
    """One of those that this command started, and no other's."""
    next(workers_of(process)).send_signal(signal.SIGKILL)


def workers_of(process: Any) -> Iterator[psutil.Process]:
    for child in psutil.Process(process.pid).children(recursive=True):
        try:
            if WORKER in " ".join(child.cmdline()):
                yield child
        except psutil.Error:
            continue


def compared(rows: list[dict[str, str]], expected: list[dict[str, str]]) -> dict[str, int]:
    paths = [row["path"] for row in rows]
    return {
        "rows": len(rows),
        "unreadable": sum(bool(row["error"]) for row in rows),
        "lost": len({row["path"] for row in expected} - set(paths)),
        "doubled": len(paths) - len(set(paths)),
        "changed": sum(one != two for one, two in zip(expected, rows, strict=False)),
    }


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--model", type=Path, required=True, help="a model.cxr")
    parser.add_argument("--images", type=int, default=IMAGES)
    parser.add_argument("--workers", type=int, default=available_cpus())
    parser.add_argument("--seed", type=int, default=0)
    add_trial_options(parser, images=False)
    options = parser.parse_args()
    n, rows = options.images, []
    with TemporaryDirectory() as folder:
        radiographs = Path(folder) / "images"
        one = make_files(options.data, n, radiographs, options.seed)
        command = [*COMMAND, str(options.model.absolute())]
        through_ray = [*command, "--engine", "ray", "--workers", str(options.workers)]
        local = Path(folder) / "local.csv"
        start = {
            "local": start_of([*command, str(one)], Path(folder) / "warm.csv"),
            "ray": start_of([*through_ray, str(one)], Path(folder) / "one.csv"),
        }
        run([*command, str(radiographs)], Path(folder) / "warm.csv", spared)
        for repeat in range(options.repeats):
            found = run([*command, str(radiographs)], local, spared)
            expected = table(local)
            rows.append({"contender": "local", **found, **compared(expected, expected)})
            for name in ("ray", "ray, worker killed", "ray, command killed"):
                out = Path(folder) / f"{name} {repeat}.csv"
                kill = kill_worker if "worker" in name else lambda process: process.kill()
                spoil = when_half_done(out, n, kill) if "killed" in name else spared
                found = run([*through_ray, str(radiographs)], out, spoil)
                same = {"same_bytes": int(out.read_bytes() == local.read_bytes())}
                left = {"left_behind": int(Path(f"{out}.parts").exists())}
                row = {"contender": name, **found, **compared(table(out), expected), **same, **left}
                rows.append(row)
                print(json.dumps(row), flush=True)
    for row in rows:
        row["start_s"] = start[row["contender"].split(",")[0]]
        row["command_per_s"] = n / row["command_s"]
        row["job_per_s"] = n / (row["command_s"] - row["start_s"])
    report("ray_predict", rows, notes=notes(rows), store=options.store)
    sys.exit(wrong(rows) > 0)


def wrong(rows: list[dict[str, Any]]) -> int:
    bad = sum(row["lost"] + row["doubled"] + row["changed"] for row in rows)
    killed = [row for row in rows if "killed" in row["contender"]]
    return bad + sum(row["kills"] != 1 for row in killed)


def notes(rows: list[dict[str, Any]]) -> list[str]:
    local = next(row for row in rows if row["contender"] == "local")
    said = [f"{wrong(rows)} rows lost, doubled or changed, or kills that did not come about"]
    for row in rows:
        if row is not local:
            whole, job = (row[key] / local[key] for key in ("command_per_s", "job_per_s"))
            said.append(
                f"{row['contender']}: {job:.2f} of the local engine's rate without Ray's start, "
                f"{whole:.2f} with it"
            )
    return said


if __name__ == "__main__":
    main()
