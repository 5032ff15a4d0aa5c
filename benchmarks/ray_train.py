"""`cxr train` by one process, two, two that Ray runs, and with the troubles that Ray is for.

Everybody trains the same run on the same images. Then, in the middle of an epoch of the unfrozen
body: a worker is killed (-9), and Ray's next group goes on by itself; the command is killed, and
given again; the command gets SIGTERM, and is given again. Beside each the time of everything,
Ray's start included, and how far it is from the one process: AUROC, the loss of its best epoch,
and the largest difference of any image's probability. What differs is the rounding of sums over
processes, which training at a high rate amplifies: `--lr 1e-5 --recipe fine_tune --precision fp32`
shows the rounding, the defaults what becomes of it.

    python benchmarks/ray_train.py
    python benchmarks/ray_train.py --images 200 --size 64 --epochs 2 --batch-size 16 --no-store
"""

from __future__ import annotations

import csv
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil

from _bench import add_trial_options, arguments, report, sample
from _runs import CXR, Attempt
from cxr._io import read_json

WORKER = "ray::RayTrainWorker"
TWO = ("--workers", "2")
RAY = (*TWO, "--engine", "ray")
CODES = {signal.SIGTERM: 143, signal.SIGKILL: -9}


@dataclass
class Bench:
    options: Any
    data: Path
    folder: Path
    chance: random.Random
    epoch_s: float = 0.0  # of the body, by two that Ray runs

    def begin(self, run: Path, more: tuple[str, ...]) -> Attempt:
        given = {
            "--run": run,
            "--size": self.options.size,
            "--epochs": self.options.epochs,
            "--batch-size": self.options.batch_size,
            "--recipe": self.options.recipe,
            "--precision": self.options.precision,
            "--checkpoint-seconds": self.options.checkpoint_seconds,
        }
        if self.options.lr:
            given["--lr"] = self.options.lr
        rest = [str(part) for pair in given.items() for part in pair]
        command = [*CXR, "train", str(self.data), *rest, "--no-explain", *more]
        return Attempt(
            command, {"CXR_CACHE_DIR": str(self.folder / "cache")}, self.options.epochs + 1
        )

    def in_an_epoch(self, attempt: Attempt) -> None:
        """Waits until a random moment of the body's training."""
        if not attempt.wait_for("body"):
            sys.exit("\n".join(["a run failed:", *attempt.lines[-5:]]))
        epochs = self.options.epochs - 0.5
        time.sleep(self.chance.uniform(0.2, 0.8) * self.epoch_s * epochs)


def trained(attempt: Attempt) -> Attempt:
    if attempt.finish():
        sys.exit("\n".join(["a run failed:", *attempt.lines[-5:]]))
    return attempt


def undisturbed(*more: str) -> Callable[[Bench, Path], list[str]]:
    def train(bench: Bench, run: Path) -> list[str]:
        return trained(bench.begin(run, more)).lines

    return train


def worker_killed(bench: Bench, run: Path) -> list[str]:
    attempt = bench.begin(run, RAY)
    bench.in_an_epoch(attempt)
    of_it = psutil.Process(attempt.process.pid).children(recursive=True)
    there = [one for one in of_it if one.cmdline()[:1] and WORKER in one.cmdline()[0]]
    if len(there) != 2:
        sys.exit(f"{len(there)} workers are there, 2 were started")
    bench.chance.choice(there).kill()
    return trained(attempt).lines


def command_hit(number: signal.Signals) -> Callable[[Bench, Path], list[str]]:
    def train(bench: Bench, run: Path) -> list[str]:
        first = bench.begin(run, RAY)
        bench.in_an_epoch(first)
        os.kill(first.process.pid, number)
        start = time.perf_counter()
        code, seconds = first.finish(), time.perf_counter() - start
        print(f"    ended with {code} after {seconds:.1f} s: {first.said or 'no word'}")
        if code != CODES[number]:
            sys.exit("\n".join([f"expected {CODES[number]}:", *first.lines[-5:]]))
        return first.lines + trained(bench.begin(run, RAY)).lines

    return train


CONTENDERS: dict[str, Callable[[Bench, Path], list[str]]] = {
    "1 process": undisturbed(),
    "2 processes": undisturbed(*TWO),
    "2 by Ray": undisturbed(*RAY),
    "worker killed": worker_killed,
    "command killed": command_hit(signal.SIGKILL),
    "command stopped": command_hit(signal.SIGTERM),
}


def read(run: Path) -> tuple[dict[str, float], dict[str, float]]:
    """Figures of a finished run, and the probability of each image."""
    metrics = read_json(run / "metrics.json")["valid"]
    with (run / "history.csv").open(newline="") as file:
        history = list(csv.DictReader(file))
    with (run / "predictions_valid.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    column = next(name for name in reversed(rows[0]) if name.startswith("prob_"))
    figures = {
        "auroc": metrics["auroc"]["value"],
        "error_rate": metrics["error_rate"]["value"],
        "best_loss": min(float(row["valid_loss"]) for row in history),
        "train_s": sum(float(row["seconds"]) for row in history),
    }
    return figures, {row["path"]: float(row[column]) for row in rows}


def measure(bench: Bench) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    expected: dict[str, float] = {}
    for name, train in CONTENDERS.items():
        run, start = bench.folder / name.replace(" ", "_"), time.perf_counter()
        print(f"{name} ...", flush=True)
        said = train(bench, run)
        job_s = time.perf_counter() - start
        figures, chances = read(run)
        expected = expected or chances
        if chances.keys() != expected.keys():
            sys.exit(f"{name} judged other images")
        if name == "2 by Ray":
            bench.epoch_s = figures["train_s"] / (bench.options.epochs + 1)
        away = max(abs(chances[path] - expected[path]) for path in expected)
        rows.append({"contender": name, "job_s": job_s, **figures, "largest_difference": away})
        rows[-1] |= {"auroc_away": abs(figures["auroc"] - rows[0]["auroc"])}
        told = [line for line in said if line.startswith(("going on", "worker "))]
        rows[-1]["said"] = [line.partition(" (/")[0] for line in told]  # without the folder
        print("\n".join(f"    {line}" for line in rows[-1]["said"]), flush=True)
    return rows


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--recipe", default="robust")
    parser.add_argument("--lr", type=float)
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--checkpoint-seconds", type=float, default=5.0)
    parser.add_argument("--tolerance", type=float, default=0.005, help="of the AUROC")
    parser.add_argument("--seed", type=int, default=0)
    add_trial_options(parser)
    options = parser.parse_args()
    with TemporaryDirectory() as name:
        data = sample(options.data, options.images, Path(name) / "images")
        bench = Bench(options, data, Path(name), random.Random(options.seed))
        rows = measure(bench)
    within = sum(row["auroc_away"] <= options.tolerance for row in rows)
    settings = {k: v for k, v in vars(options).items() if k in ("size", "epochs", "recipe", "lr")}
    notes = [
        f"{within} of {len(rows)} have an AUROC within {options.tolerance} of one process",
        ", ".join(f"{name} {value}" for name, value in settings.items()),
    ]
    report("ray_train", rows, notes=notes, store=options.store)
    sys.exit(within != len(rows))


if __name__ == "__main__":
    main()
