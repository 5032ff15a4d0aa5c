"""`cxr predict` killed again and again over real files: is any row lost, doubled or changed?

For each format one run is left alone; another is killed with SIGKILL at random moments (while it
loads, between and within the blocks that it writes) and begun again each time, until KILLS times
are over, then left to finish. Both tables must be the same, CSV and JSON lines to the last byte,
Parquet row for row, in the order of the list, with each file once. Some files are no images.

    python benchmarks/kill_predict.py --model runs/a/model.cxr
"""

from __future__ import annotations

import csv
import json
import random
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from _bench import add_trial_options, arguments, report, sample

COMMAND = [sys.executable, "-c", "from cxr.cli import main; main()", "predict"]
FORMATS = ("csv", "jsonl", "parquet")
BAD = {"a_text.png": b"no image", "empty.jpeg": b"", "z_cut.jpeg": b"\xff\xd8\xff\xe0\0\x10JFIF"}
MOMENT_S = 1.5  # a kill comes up to so long after its row: within, before and after a block


def predict(command: list[str], out: Path) -> float:
    """Seconds. Exit code 1: some files are no images."""
    start = time.perf_counter()
    done = subprocess.run([*command, "--out", str(out)], capture_output=True, text=True)
    if done.returncode != 1 or not out.exists():
        sys.exit(f"cxr predict failed: {done.stderr}")
    return time.perf_counter() - start


def kill(command: list[str], out: Path, goal: int, wait: float) -> int | None:
    """Kills a run `wait` seconds after `goal` rows are certain; how many were, None if it ended."""
    process = subprocess.Popen(
        [*command, "--out", str(out)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while process.poll() is None and certain(out) < goal:
        time.sleep(0.002)
    time.sleep(wait)
    process.kill()
    process.wait()
    return None if out.exists() else certain(out)


def certain(out: Path) -> int:
    journal = Path(f"{out}.part.json")
    return int(json.loads(journal.read_text())["rows"]) if journal.exists() else 0


def table(out: Path) -> list[dict[str, Any]]:
    if out.suffix == ".csv":
        with out.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))
    if out.suffix == ".jsonl":
        return [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    import pyarrow.parquet

    return pyarrow.parquet.read_table(out).to_pylist()


def trial(suffix: str, command: list[str], folder: Path, kills: int, seed: int) -> dict[str, Any]:
    whole, out = folder / f"whole.{suffix}", folder / f"rows.{suffix}"
    whole_s, start = predict(command, whole), time.perf_counter()
    expected = table(whole)
    rng, killed, early = random.Random(f"{suffix} {seed}"), 0, 0
    for goal in sorted(rng.randrange(len(expected)) for _ in range(kills)):
        while_loading = rng.random() < 0.2
        wait = rng.uniform(0, MOMENT_S)
        reached = kill(command, out, 0 if while_loading else goal, wait)
        if reached is None:
            break  # all rows were there: nothing is left to be killed
        killed, early = killed + 1, early + (reached == 0)
    predict(command, out)
    found, paths = table(out), [row["path"] for row in table(out)]
    return {
        "contender": suffix,
        "kills": killed,
        "kills_before_a_row": early,
        "rows": len(found),
        "lost": len({row["path"] for row in expected} - set(paths)),
        "doubled": len(paths) - len(set(paths)),
        "changed": sum(one != two for one, two in zip(expected, found, strict=False)),
        "same_bytes": int(out.read_bytes() == whole.read_bytes()),
        "left_behind": len(list(folder.glob(f"*rows.{suffix}.*"))),
        "whole_s": whole_s,
        "killed_s": time.perf_counter() - start,
    }


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--model", type=Path, required=True, help="a model.cxr")
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--runtime", default="auto")
    parser.add_argument("--seed", type=int, default=0)
    add_trial_options(parser)
    options = parser.parse_args()
    with (
        TemporaryDirectory() as radiographs,
        TemporaryDirectory() as bad,
        TemporaryDirectory() as work,
    ):
        for name, content in BAD.items():
            (Path(bad) / name).write_bytes(content)
        data = sample(options.data, options.images, Path(radiographs))
        command = [*COMMAND, str(options.model), bad, str(data), "--runtime", options.runtime]
        rows = [
            trial(suffix, command, Path(work), options.kills, options.seed)
            for suffix in FORMATS
            if options.only in (None, suffix)
        ]
    wrong = sum(
        row["lost"] + row["doubled"] + row["changed"] + row["left_behind"] for row in rows
    ) + sum(not row["same_bytes"] for row in rows)
    report("kill_predict", rows, notes=[f"{wrong} rows or files wrong"], store=options.store)
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
