"""What the benchmarks share: a process for each contender, a table, a result file."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

PACKAGES = (
    *("cxr", "fastai", "timm", "torch", "torchvision", "ultralytics", "onnxruntime"),
    *("opencv-python-headless", "pillow", "simplejpeg", "numpy"),
)
LIST_VERSIONS = (
    "import sys, json, platform, importlib.metadata as m; "
    "found = {d.name: d.version for d in m.distributions() if d.name in sys.argv}; "
    "print(json.dumps({'python': platform.python_version()} | found))"
)
RESULTS = Path(__file__).parent / "results"
DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "kermany224"


def arguments(about: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--data", type=Path, default=DATA, help="folder with class folders")
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--fastai-python", default=sys.executable, help="python that has fastai")
    parser.add_argument("--only", help="run this contender alone")
    return parser


def add_trial_options(parser: argparse.ArgumentParser, images: bool = True) -> None:
    """For a short look at whether a benchmark works."""
    if images:
        parser.add_argument("--images", type=int, help="take only so many of the images")
    parser.add_argument(
        "--no-store", dest="store", action="store_false", help="write no result file"
    )


def sample(data: Path, n: int | None, folder: Path) -> Path:
    """`data`, or a copy in `folder` of `n` of its images, evenly spread over the sorted list."""
    paths = sorted(path for path in data.rglob("*.jp*g") if path.is_file())
    if not paths:
        sys.exit(f"no .jpeg files in {data}; name a folder with --data")
    if n is None or n >= len(paths):
        return data
    for i in range(n):
        path = paths[i * len(paths) // n]
        copy = folder / path.relative_to(data)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    return folder


def available_cpus() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cache
def versions(python: str) -> dict[str, str]:
    """Of Python and of those PACKAGES that this interpreter has."""
    found = subprocess.check_output([python, "-c", LIST_VERSIONS, *PACKAGES], text=True)
    return json.loads(found)


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
    seconds = time.perf_counter() - start
    return {**result, "contender": name, "process_s": seconds, "versions": versions(python)}


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


def medians_of(rows: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """By contender, of every figure that it has."""
    found: dict[str, dict[str, float]] = {}
    for name in dict.fromkeys(row["contender"] for row in rows):
        own = [row for row in rows if row["contender"] == name]
        figures = {k: None for row in own for k, v in row.items() if isinstance(v, int | float)}
        found[name] = {k: statistics.median(r[k] for r in own if k in r) for k in figures}
    return found


def report(
    name: str,
    rows: list[dict[str, Any]],
    against: str | Sequence[str] = (),
    notes: Sequence[str] = (),
    store: bool = True,
) -> None:
    """Prints medians by contender and `notes`, and stores everything in `results/NAME.json`."""
    medians = medians_of(rows)
    figures = list(dict.fromkeys(key for own in medians.values() for key in own))
    width = max(12, *(len(n) + 2 for n in medians))
    print(" " * width + "".join(f"{key:>18}" for key in figures))
    for n, own in medians.items():
        cells = (f"{own[key]:.4f}" if key in own else "" for key in figures)
        print(f"{n:{width}}" + "".join(f"{cell:>18}" for cell in cells))
    for peer in [against] if isinstance(against, str) else against:
        if peer in medians and "cxr" in medians:
            ratio = medians[peer]["job_s"] / medians["cxr"]["job_s"]
            print(f"cxr is {ratio:.1f} times as fast as {peer} (job, without imports)")
    for note in notes:
        print(note)
    if not store:
        return
    RESULTS.mkdir(exist_ok=True)
    kept = {
        "machine": machine(),
        "versions": {row["contender"]: row.get("versions") for row in rows},
        "notes": list(notes),
        "medians": medians,
        "runs": [{k: v for k, v in row.items() if k != "versions"} for row in rows],
    }
    (RESULTS / f"{name}.json").write_text(json.dumps(kept, indent=2) + "\n")
