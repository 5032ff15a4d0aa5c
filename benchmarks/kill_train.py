"""`cxr train`, killed (-9) in every phase and gone on with until it is done.

A run that nobody disturbs is the measure. Then each of a few runs begins with an empty pixel cache
and is killed again and again: in its cache, head, body and export phases at random moments, a
fixed share of the kills in each, and at the moments in EVIL, which chance would hardly hit. The
same command is given again each time. Weights, model file, predictions and metrics.json must come
out byte for byte, and history.csv but for its column `seconds`. With --cost, what keeping states so
often costs training instead.

    python benchmarks/kill_train.py --kills 30 --runs 2
    python benchmarks/kill_train.py --cost 30 5
    python benchmarks/kill_train.py --phantom 600 --size 64 --backbone test_efficientnet \
        --weights small.safetensors --batch-size 16 --kills 12 --runs 1 --checkpoint-seconds 0.5
"""

from __future__ import annotations

import csv
import math
import random
import shutil
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from _bench import add_trial_options, arguments, report, sample
from _runs import CXR, PHASES, Attempt, differing, dying, outcome
from cxr._io import read_json

KILLED = PHASES[1:]
EVIL = [
    ("cache", "half", "*.npy"),
    ("cache", "after", "*.npy"),  # the pixels are there, what vouches for them is not
    ("head", "half", "last.safetensors"),  # the first state of all
    ("body", "half", "last.safetensors"),
    ("body", "after", "previous.safetensors"),  # between the two renames: there is no last
    ("body", "after", "last.safetensors"),  # before the folder is on the disk
    ("body", "after", "best.safetensors"),  # the best is newer than the last
    ("body", "before", "history.csv"),
    ("export", "after", "model.cxr"),
    ("export", "half", "report.html"),
    ("export", "half", "metrics.json"),
    ("export", "after", "metrics.json"),  # all is done, and nobody knows
]
EVIL_SHARE = 0.4  # of the kills, at most


@dataclass(frozen=True)
class Kill:
    """In `phase`: at `moment` (0 to 1) of it, or at an event of EVIL."""

    phase: str
    moment: float
    event: tuple[str, str] | None = None

    @property
    def where(self) -> str:
        return f"{self.phase}: {' '.join(self.event)}" if self.event else self.phase


def planned(kills: int, chance: random.Random) -> list[Kill]:
    n_evil = min(len(EVIL), int(EVIL_SHARE * kills))
    at_random = (KILLED[i % len(KILLED)] for i in range(kills - n_evil))
    chosen = (EVIL[i * len(EVIL) // n_evil] for i in range(n_evil))
    return [Kill(phase, chance.random()) for phase in at_random] + [
        Kill(phase, 1.0, (event, pattern)) for phase, event, pattern in chosen
    ]


def in_order(kills: Iterable[Kill]) -> list[Kill]:
    """As one run can have them, one after the other."""
    return sorted(kills, key=lambda kill: (KILLED.index(kill.phase), kill.moment))


@dataclass(frozen=True)
class Trial:
    """The command under test, and what it does when nobody disturbs it."""

    options: Any
    data: Path
    expected: dict[str, Any]
    lengths: dict[str, float]  # of the phases, in seconds
    steps: int  # of an epoch

    def attempt(self, run: Path, cache: Path, start: list[str]) -> Attempt:
        return begin(self.options, self.data, run, cache, start)

    def killed(self, kill: Kill, run: Path, cache: Path) -> tuple[Attempt, str | None]:
        if kill.event:
            attempt = self.attempt(run, cache, dying(*kill.event))
            return attempt, kill.phase if attempt.finish() == -9 else None
        attempt = self.attempt(run, cache, CXR)
        if attempt.wait_for(kill.phase):  # else it was done before, and a later one is hit
            share = kill.moment - (attempt.done_before(self.steps) if kill.phase == "body" else 0)
            at = attempt.begun[kill.phase] + share * self.lengths[kill.phase]
            time.sleep(max(0.0, at - attempt.age))
        hit = attempt.kill()
        self.learn(attempt)
        return attempt, hit

    def learn(self, attempt: Attempt) -> None:
        """How long the phases take now: the machine may be busier or less busy than before."""
        for phase, seconds in [*attempt.lengths.items()][:-1]:  # it was killed in the last
            share = 1 - attempt.done_before(self.steps) if phase == "body" else 1.0
            if share > 0:
                self.lengths[phase] = seconds / share


def begin(options: Any, data: Path, run: Path, cache: Path, start: list[str]) -> Attempt:
    given = {
        "--run": run,
        "--backbone": options.backbone,
        "--weights": options.weights,
        "--size": options.size,
        "--epochs": options.epochs,
        "--batch-size": options.batch_size,
        "--checkpoint-seconds": options.checkpoint_seconds,
    }
    rest = [str(part) for pair in given.items() for part in pair]
    command = [*start, "train", str(data), *rest, "--resume"]
    return Attempt(command, {"CXR_CACHE_DIR": str(cache)}, options.epochs + 1)


def finished(attempt: Attempt) -> Attempt:
    """Ends the benchmark where a run fails by itself."""
    if attempt.finish():
        sys.exit("\n".join(["a run failed:", *attempt.lines[-5:]]))
    return attempt


def undisturbed(options: Any, data: Path, folder: Path) -> Trial:
    run = folder / "undisturbed"
    lengths = finished(begin(options, data, run, folder / "first", CXR)).lengths
    print("undisturbed:", ", ".join(f"{name} {s:.1f} s" for name, s in lengths.items()))
    missing = [phase for phase in KILLED if phase not in lengths]
    if missing:
        sys.exit(f"the run has no phase {missing[0]}; take other settings")
    with (run / "manifest.csv").open(newline="") as file:
        n_train = sum(row["split"] == "train" for row in csv.DictReader(file))
    return Trial(options, data, outcome(run), lengths, max(1, n_train // options.batch_size))


def killed_run(
    trial: Trial, kills: list[Kill], folder: Path
) -> tuple[list[dict[str, Any]], list[Kill]]:
    """A row for each kill, with what the run came to; and the kills whose moment did not come."""
    run, cache = folder / "run", folder / "cache"
    rows: list[dict[str, Any]] = []
    missed = []
    for kill in kills:
        if (run / "metrics.json").is_file():
            missed.append(kill)
            continue
        attempt, hit = trial.killed(kill, run, cache)
        if rows:
            rows[-1].setdefault("went_on_from", attempt.went_on)
        if hit != kill.phase:
            missed.append(kill)
        if hit is not None:
            into = attempt.age - attempt.begun.get(hit, attempt.age)
            rows.append({"contender": "cxr", "planned": kill.where, "phase": hit})
            rows[-1] |= {"at_s": round(attempt.age, 2), "into_phase_s": round(into, 2)}
    last = finished(trial.attempt(run, cache, CXR))
    other = differing(run, trial.expected)
    if rows:
        rows[-1].setdefault("went_on_from", last.went_on)
    for row in rows:
        row |= {"same": not other, "other": other}
    shutil.rmtree(run)
    shutil.rmtree(cache)
    return rows, missed


def show(rows: list[dict[str, Any]], first: int) -> None:
    for number, row in enumerate(rows, first):
        verdict = "the same" if row["same"] else f"OTHER: {', '.join(row['other'])}"
        place = f"{row['phase']:7}{row['into_phase_s']:8.2f} s"
        print(f"{number:4d}  {row['planned']:32}{place}  {row['went_on_from']:36}{verdict}")


def kill_all(options: Any, data: Path, folder: Path) -> None:
    start, trial = time.perf_counter(), undisturbed(options, data, folder)
    alone = sum(trial.lengths.values())  # before they follow the machine's moods
    left, rows = planned(options.kills, random.Random(options.seed)), list[dict[str, Any]]()
    n_runs, a_run = 0, math.ceil(options.kills / options.runs)
    print(f"      {'planned':32}{'killed in, after':17}  {'went on from':36}result of the run")
    while left and n_runs < 3 * options.runs:
        now = in_order(left)[:: math.ceil(len(left) / a_run)]
        own, missed = killed_run(trial, now, folder)
        left = [kill for kill in left if kill not in now or kill in missed]
        n_runs += 1
        show(own, len(rows) + 1)
        rows += [row | {"run": n_runs} for row in own]
    same = sum(row["same"] for row in rows)
    shares = {name: sum(row["phase"] == name for row in rows) for name in PHASES}
    notes = [
        f"{same} of {len(rows)} kills in {n_runs} runs: the same in the end, byte for byte",
        "by phase: " + ", ".join(f"{name} {n}" for name, n in shares.items() if n),
        *(f"never came: {kill.where}" for kill in left),
        f"undisturbed run {alone:.0f} s, all of it {time.perf_counter() - start:.0f} s",
    ]
    report("kill_train", rows, notes=notes, store=options.store)
    sys.exit(same != len(rows) or bool(left))


def cost(options: Any, data: Path, folder: Path) -> None:
    """By what training waited for, and what the writing thread may have taken from it.

    The difference of two runs would be smaller than the machine's own moods.
    """
    rows = []
    for seconds in options.cost:
        options.checkpoint_seconds, run = seconds, folder / f"every {seconds:g} s"
        times = folder / "times.json"
        start = [sys.executable, str(Path(__file__).with_name("_keeping.py")), str(times)]
        finished(begin(options, data, run, folder / "cache", start))
        with (run / "history.csv").open(newline="") as file:
            training = sum(float(row["seconds"]) for row in csv.DictReader(file))
        facts = read_json(times)
        share = (facts["held_s"] + facts["writer_cpu_s"]) / training
        rows.append({"contender": run.name, "training_s": training, **facts, "share": share})
    notes = [f"states {row['contender']}: at most {row['share']:.2%}" for row in rows]
    report("checkpoint_cost", rows, notes=notes, store=options.store)


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument(
        "--runs", type=int, default=2, help="over which the kills are spread, at least"
    )
    parser.add_argument("--cost", type=float, nargs="+", help="seconds between states")
    parser.add_argument("--phantom", type=int, help="so many synthetic images instead of --data")
    parser.add_argument("--backbone", default="efficientnet_lite0")
    parser.add_argument("--weights", default="auto")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--checkpoint-seconds", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=0)
    add_trial_options(parser)
    options = parser.parse_args()
    with TemporaryDirectory() as name:
        folder = Path(name)
        if options.phantom:
            from cxr.find.phantom import write_phantom

            data = write_phantom(folder / "images", n_images=options.phantom, size=2 * options.size)
        else:
            data = sample(options.data, options.images, folder / "images")
        (cost if options.cost else kill_all)(options, data, folder)


if __name__ == "__main__":
    main()
