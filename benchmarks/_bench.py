"""What the benchmarks share: a process for each contender, a table, a result file."""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "kermany224"


def arguments(about: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--data", type=Path, default=DATA, help="folder with class folders")
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--fastai-python", default=sys.executable, help="python that has fastai")
    parser.add_argument("--only", help="run this contender alone")
    return parser


def run_contender(python: str, script: Path, name: str, options: Sequence[str]) -> dict[str, Any]:
    """`script --as name` in a fresh process; its last line of output is its result as JSON."""
    start = time.perf_counter()
    done = subprocess.run(
        [python, str(script), "--as", name, *options],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    result = json.loads(done.stdout.strip().splitlines()[-1])
    return {**result, "contender": name, "process_s": time.perf_counter() - start}


def machine() -> dict[str, Any]:
    model = ""
    if Path("/proc/cpuinfo").is_file():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next((line.split(":")[1].strip() for line in lines if "model name" in line), "")
    return {
        "processor": model or platform.processor(),
        "processors": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }


def report(name: str, rows: list[dict[str, Any]], against: str | None = None) -> None:
    """Prints medians by contender and stores everything in `results/NAME.json`."""
    names = list(dict.fromkeys(row["contender"] for row in rows))
    figures = [key for key in rows[0] if isinstance(rows[0][key], int | float)]
    medians = {
        n: {k: statistics.median(r[k] for r in rows if r["contender"] == n) for k in figures}
        for n in names
    }
    print(f"{'':12}" + "".join(f"{key:>14}" for key in figures))
    for n in names:
        print(f"{n:12}" + "".join(f"{medians[n][key]:14.4f}" for key in figures))
    if against in names and "cxr" in names:
        ratio = medians[against]["job_s"] / medians["cxr"]["job_s"]
        print(f"cxr is {ratio:.1f} times as fast as {against} (job, without imports)")
    RESULTS.mkdir(exist_ok=True)
    kept = {"machine": machine(), "medians": medians, "runs": rows}
    (RESULTS / f"{name}.json").write_text(json.dumps(kept, indent=2) + "\n")
