"""`cxr train`, killed (-9) at random moments of every phase and gone on with until it is done.

A run that nobody disturbs is the measure. Then run after run begins with an empty pixel cache and
is killed once in each of PLAN, at a random moment of that phase; the same command is given again
each time. Weights, model file, predictions and metrics.json must come out byte for byte, and
history.csv but for its column `seconds`.

    python benchmarks/kill_train.py --kills 30
    python benchmarks/kill_train.py --phantom 120 --size 64 --backbone test_efficientnet --kills 5
"""

from __future__ import annotations

import csv
import os
import random
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from _bench import add_trial_options, arguments, report, sample

# Where a run is killed, each at a random moment; the phases of one run in their order.
PLAN = ("cache", "head", "body", "body", "export")
CXR = [sys.executable, "-c", "from cxr.cli import main; raise SystemExit(main())"]
HEAD, TABLE = "the head alone", re.compile(r"\s+epoch\s+train_loss")
ROW = re.compile(r"\s+(\d+)\s+[\d.]+\s+[\d.]+")


class Attempt:
    """One process; `begun` says when which phase began, read off what it prints."""

    def __init__(self, command: list[str], cache: Path, last_epoch: int) -> None:
        self.start, self.last_epoch = time.perf_counter(), last_epoch
        self.begun = {"cache": 0.0}
        self.lines: list[str] = []
        self.news = threading.Condition()
        self.process = subprocess.Popen(
            command,
            env=os.environ | {"CXR_CACHE_DIR": str(cache)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line.rstrip())
            phase = self._phase_after(line)
            with self.news:
                if phase is not None:
                    self.begun.setdefault(phase, time.perf_counter() - self.start)
                self.news.notify_all()
        with self.news:
            self.begun.setdefault("end", time.perf_counter() - self.start)
            self.news.notify_all()

    def _phase_after(self, line: str) -> str | None:
        if HEAD in line:
            return "head"
        if TABLE.match(line):
            return "body"
        row = ROW.match(line)
        return "export" if row and "body" in self.begun and self._is_last(row) else None

    def _is_last(self, row: re.Match[str]) -> bool:
        return int(row[1]) == self.last_epoch

    def wait_for(self, phase: str) -> bool:
        """False when the process ended without it."""
        with self.news:
            self.news.wait_for(lambda: phase in self.begun or "end" in self.begun)
            return phase in self.begun

    def kill_in(self, phase: str, after: float) -> str | None:
        """`after` seconds into the phase. The phase it was in by then, None when it was done."""
        if self.wait_for(phase):
            time.sleep(max(0.0, self.start + self.begun[phase] + after - time.perf_counter()))
        with self.news:
            hit = None if self.process.poll() is not None else list(self.begun)[-1]
        self.process.kill()
        self.process.wait()
        self.reader.join()
        return hit

    def finish(self) -> dict[str, float]:
        """When the phases began. Ends the benchmark where the run fails."""
        if self.process.wait():
            self.reader.join()
            sys.exit("\n".join(["a run failed:", *self.lines[-5:]]))
        self.reader.join()
        return self.begun


def outcome(run: Path) -> dict[str, Any]:
    """What must come out the same: bytes, and the history without its times."""
    from safetensors.numpy import load_file

    names = ("model.cxr", "metrics.json", "predictions_valid.csv")
    found: dict[str, Any] = {name: (run / name).read_bytes() for name in names}
    for name in ("best", "last"):
        tensors = load_file(run / "checkpoints" / f"{name}.safetensors")
        found[name] = {key: value.tobytes() for key, value in sorted(tensors.items())}
    with (run / "history.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    found["history.csv"] = [{k: v for k, v in row.items() if k != "seconds"} for row in rows]
    return found


def moments(chance: random.Random, begun: dict[str, float]) -> Iterator[tuple[str, float]]:
    """Phase after phase, with a moment in each, without end."""
    order = [*dict.fromkeys(PLAN), "end"]
    starts = {name: begun[name] for name in order if name in begun}
    ends = dict(zip(starts, [*starts.values()][1:], strict=False))
    while True:
        for phase in PLAN:
            if phase in ends:
                yield phase, chance.uniform(0, ends[phase] - starts[phase])


def train_command(options: Any, data: Path, run: Path) -> list[str]:
    given = {
        "--run": run,
        "--backbone": options.backbone,
        "--weights": options.weights,
        "--size": options.size,
        "--epochs": options.epochs,
        "--recipe": options.recipe,
        "--batch-size": options.batch_size,
        "--checkpoint-seconds": options.checkpoint_seconds,
    }
    return [*CXR, "train", str(data), *(str(part) for pair in given.items() for part in pair)]


def killed_runs(
    options: Any, data: Path, folder: Path, measure: dict[str, Any], begun: dict[str, float]
) -> list[dict[str, Any]]:
    """A row for each kill, with what its run came to."""
    rows: list[dict[str, Any]] = []
    plan = moments(random.Random(options.seed), begun)
    n_phases = sum(phase in begun for phase in PLAN)
    while len(rows) < options.kills:
        run, cache = folder / "run", folder / "cache"
        kills = []
        for phase, after in (next(plan) for _ in range(min(n_phases, options.kills - len(rows)))):
            attempt = Attempt(train_command(options, data, run), cache, options.epochs - 1)
            hit = attempt.kill_in(phase, after)
            if hit is not None:
                kills.append({"phase": hit, "at_s": round(time.perf_counter() - attempt.start, 2)})
            elif attempt.finish():  # it was done before that moment came
                break
        if not (run / "metrics.json").is_file():
            attempt = Attempt(train_command(options, data, run), cache, options.epochs - 1)
            attempt.finish()
        found = outcome(run)
        other = [name for name in measure if measure[name] != found[name]]
        left = [path.name for path in run.rglob("*") if ".part" in path.name or "lock" in path.name]
        for kill in kills:
            rows.append({"contender": "cxr", **kill, "same": not other, "other": other + left})
            verdict = "the same, byte for byte" if not other + left else f"OTHER: {other + left}"
            print(f"{len(rows):4d}  {kill['phase']:8}{kill['at_s']:8.2f} s  {verdict}")
        for used in (run, cache):
            shutil.rmtree(used)
    return rows


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--phantom", type=int, help="so many synthetic films instead of --data")
    parser.add_argument("--backbone", default="efficientnet_lite0")
    parser.add_argument("--weights", default="auto")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--recipe", default="robust")
    parser.add_argument("--checkpoint-seconds", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=0)
    add_trial_options(parser)
    options = parser.parse_args()
    with TemporaryDirectory() as name:
        folder = Path(name)
        if options.phantom:
            from cxr.find.phantom import write_phantom

            data = write_phantom(folder / "films", n_images=options.phantom, size=2 * options.size)
        else:
            data = sample(options.data, options.images, folder / "films")
        undisturbed = folder / "undisturbed"
        attempt = Attempt(
            train_command(options, data, undisturbed), folder / "first", options.epochs - 1
        )
        begun = attempt.finish()
        print("undisturbed:", ", ".join(f"{k} from {v:.1f} s" for k, v in begun.items()))
        rows = killed_runs(options, data, folder, outcome(undisturbed), begun)
    same = sum(not row["other"] for row in rows)
    notes = [f"{same} of {len(rows)} kills: the same result in the end, byte for byte"]
    notes += [f"undisturbed run: {begun['end']:.0f} s"]
    report("kill_train", rows, notes=notes, store=options.store)
    sys.exit(same != len(rows))


if __name__ == "__main__":
    main()
