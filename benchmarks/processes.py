"""The same training by 1, 2 and 4 processes: how fast, and how near to each other they end.

`cxr train --workers N` with its default settings but for `--strategy` (full: the whole body trains,
which is the heaviest step). By name PROCESSESxTHREADS; `images_per_s` is that of epochs of the body
and their validation, as in history.csv. `1x2` differs from `1x1` in nothing but the order in which
numbers are added: how far the two end apart is what rounding alone makes of a training.

    python benchmarks/processes.py --images 2000
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from _bench import add_trial_options, arguments, medians_of, report, sample, versions

CONTENDERS = {"1x1": (1, 1), "1x2": (1, 2), "2x1": (2, 1), "4x1": (4, 1)}


def train(name: str, data: Path, folder: Path, options: Any) -> dict[str, Any]:
    processes, threads = CONTENDERS[name]
    run = folder / f"{name}-{time.monotonic_ns()}"
    command = [
        *(sys.executable, "-m", "cxr", "train", str(data), "--run", str(run), "--no-explain"),
        *("--workers", str(processes), "--epochs", str(options.epochs)),
        *("--strategy", options.strategy, "--precision", options.precision),
        *("--split", "manifest" if data.suffix == ".csv" else "patient"),
    ]
    settings = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    start = time.perf_counter()
    subprocess.run(command, check=True, env=settings, capture_output=True)
    job_s = time.perf_counter() - start
    with (run / "history.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["phase"] != "0"]
    metrics = json.loads((run / "metrics.json").read_text())["valid"]
    with (run / "manifest.csv").open() as file:
        trained = sum(row["split"] == "train" for row in csv.DictReader(file))
    with (run / "predictions_valid.csv").open() as file:
        chances = [float(row["prob_PNEUMONIA"]) for row in csv.DictReader(file)]
    return {
        "contender": name,
        "job_s": job_s,
        "images_per_s": trained * len(rows) / sum(float(row["seconds"]) for row in rows),
        "auroc": metrics["auroc"]["value"],
        "error_rate": metrics["error_rate"]["value"],
        "brier": metrics["brier"]["value"],
        "valid_loss": float(rows[-1]["valid_loss"]),
        "chances": chances,
        "versions": versions(sys.executable),
    }


def main() -> None:
    parser = arguments(__doc__ or "")
    add_trial_options(parser)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--strategy", default="full")
    parser.add_argument("--precision", default="auto")
    options = parser.parse_args()
    rows = []
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        data = sample(options.data, options.images, folder / "images")
        names = [options.only] if options.only else list(CONTENDERS)
        for repeat in range(options.repeats):
            for name in names[:: -1 if repeat % 2 else 1]:
                rows.append(train(name, data, folder, options))
                print(f"round {repeat + 1}: {name}", file=sys.stderr)
    first = {row["contender"]: row.pop("chances") for row in rows}
    medians = medians_of(rows)
    alone = medians.get("1x1", {}).get("images_per_s")
    notes = []
    for name, own in medians.items():
        if alone:
            speed = own["images_per_s"] / alone
            notes.append(f"{name}: {speed:.2f} times 1x1, {speed / CONTENDERS[name][0]:.2f} each")
        if name != "1x1" and "1x1" in first:
            apart = np.abs(np.subtract(first[name], first["1x1"]))
            notes.append(
                f"{name}: probabilities differ from 1x1's by {np.median(apart):.4f} in the median, "
                f"{apart.max():.3f} at most, over {len(apart)} images"
            )
    report("processes", rows, notes=notes, store=options.store)


if __name__ == "__main__":
    main()
