"""`cxr train` in all sorts of trouble, as a user would meet it: the real command, a real fault.

Each case prints what was done, the one line that cxr said, its exit code and what was left, then
removes the fault and gives the same command again: the run must end as one that nobody disturbed,
byte for byte. A traceback, more or less than one line, a lost file or another result is a failure.
What this machine cannot do (mounting needs root, say) is said and does not count.

    python benchmarks/faults.py
    python benchmarks/faults.py --only signals
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from _bench import add_trial_options, arguments, report
from _runs import CXR, PHASES, Attempt, differing, dying, outcome
from _trouble import (
    NotHere,
    address_space,
    clock,
    fill,
    flip,
    memory_group,
    no_more_than,
    remount,
    set_clock,
    tmpfs,
)

N_IMAGES, SIZE, EPOCHS = 600, 64, 12
BACKBONE = "test_efficientnet"
MB, YEAR = 1 << 20, 365 * 86400
NOT_ONE_LINE = ("Traceback", "Exception ignored", "Fatal Python", "Error in ", "terminate called")
REFUSED, MISUSED = 1, 2
STOPPED = {signal.SIGINT: 130, signal.SIGTERM: 143}


@dataclass
class Case:
    """What was done and what came of it."""

    name: str
    folder: Path
    world: World
    steps: list[dict[str, Any]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    not_here: str = ""

    @property
    def run(self) -> Path:
        return self.folder / "run"

    @property
    def cache(self) -> Path:
        return self.folder / "cache"

    def begin(self, *more: str, **options: Any) -> Attempt:
        """The command on this case's run folder, data and cache."""
        return self.world.begin(
            options.pop("run", self.run),
            options.pop("cache", self.cache),
            *more,
            data=self.folder / "images",
            **options,
        )

    def in_body(self, *more: str, **options: Any) -> Attempt:
        """A run in the middle of its body, with states on the disk."""
        attempt = self.begin(*more, **options)
        run = options.get("run", self.run)
        attempt.wait_for("body")
        attempt.wait_until((run / "checkpoints" / "previous.safetensors").exists)
        return attempt

    def interrupted(self) -> None:
        """A run folder and a cache as they are after a kill in the body."""
        shutil.copytree(self.world.interrupted / "run", self.run)
        shutil.copytree(self.world.interrupted / "cache", self.cache)

    def ended(self, done: str, attempt: Attempt, codes: Iterable[int]) -> Attempt:
        """Waits for the end, which must be with one of `codes` and in one line."""
        code = attempt.finish()
        left = [path.stem for path in attempt.run.rglob("*.safetensors")]
        self.note(done, attempt.said, code, ", ".join(sorted(left)) or "no states")
        bad = [line for line in attempt.lines if line.startswith(NOT_ONE_LINE)]
        own = [line for line in attempt.lines if line.startswith("cxr: ")]
        if code not in codes:
            self.fail(f"{done}: exit code {code} (last: {attempt.lines[-1:]})")
        if bad:
            self.fail(f"{done}: {bad[0]} ... {attempt.lines[-1]}")
        elif code > 0 and (len(own) != 1 or not attempt.lines[-1].startswith("cxr: ")):
            self.fail(f"{done}: {len(own)} lines of cxr, the last line {attempt.lines[-1]!r}")
        return attempt

    def ends_well(self, done: str = "the same command again", **options: Any) -> None:
        """The fault is gone: the very same result."""
        run = options.get("run", self.run)
        self.ended(done, self.begin(**options), [0])
        other = differing(run, self.world.expected)
        if other:
            self.fail(f"another result: {', '.join(other)}")

    def note(self, done: str, said: str, code: int, left: str) -> None:
        self.steps.append({"done": done, "said": said, "code": code, "left": left})
        print(f"    {done}\n        -> {code}  {said or '(nothing to say)'}  [{left}]", flush=True)

    def fail(self, what: str) -> None:
        self.wrong.append(what)
        print(f"        FAILED: {what}", flush=True)


@dataclass
class World:
    """A small data set, how it is trained on, and what must come out."""

    folder: Path
    expected: dict[str, Any] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)

    @property
    def interrupted(self) -> Path:
        return self.folder / "interrupted"

    def begin(
        self,
        run: Path,
        cache: Path,
        *more: str,
        data: Path,
        start: Sequence[str] = CXR,
        env: dict[str, str] | None = None,
        prepare: Callable[[], None] | None = None,
    ) -> Attempt:
        given = {
            "--run": run,
            "--backbone": BACKBONE,
            "--weights": self.folder / "small.safetensors",
            "--size": SIZE,
            "--epochs": EPOCHS,
            "--batch-size": 16,
            "--checkpoint-seconds": 0.2,
        }
        rest = [str(part) for pair in given.items() for part in pair]
        command = [*start, "train", str(data), *rest, *more]
        around = {"CXR_CACHE_DIR": str(cache), "OMP_NUM_THREADS": "1"} | (env or {})
        return Attempt(command, around, EPOCHS + 1, prepare)

    def case(self, name: str) -> Case:
        """With a data set of its own, whose files are those of all others."""
        folder = self.folder / name
        if folder.exists():
            shutil.rmtree(folder)
        shutil.copytree(self.folder / "images", folder / "images", copy_function=os.link)
        return Case(name, folder, self)

    def prepare(self) -> None:
        from cxr.find.phantom import write_phantom

        write_phantom(self.folder / "images", n_images=N_IMAGES, size=2 * SIZE)
        _write_weights(self.folder / "small.safetensors")
        case = self.case("undisturbed")
        case.ended("a run that nobody disturbs", case.begin(), [0])
        if case.wrong:
            sys.exit("nothing can be compared")
        self.expected = outcome(case.run)
        self.sizes = {p.name: p.stat().st_size for p in case.folder.rglob("*") if p.is_file()}
        cut = self.case("interrupted")
        cut.in_body().kill()


def _write_weights(path: Path) -> None:
    import timm
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(1)
    save_file(timm.create_model(BACKBONE, num_classes=0).state_dict(), path)


# The cases ------------------------------------------------------------------------------------


def two_processes(case: Case) -> None:
    first = case.begin()
    for phase in PHASES[1:]:
        first.wait_for(phase)
        first.process.send_signal(signal.SIGSTOP)  # it shall not be done before the second begins
        case.ended(f"a second process while the first is in {phase}", case.begin(), [MISUSED])
        first.process.send_signal(signal.SIGCONT)
    case.ended("the first", first, [0])
    several = [case.begin(run=case.folder / "b") for _ in range(3)]
    codes = sorted(attempt.finish() for attempt in several)
    case.note("three at the same time in one new folder", "", codes[0], f"exit codes {codes}")
    if codes != [0, MISUSED, MISUSED]:
        case.fail(f"exit codes {codes}")
    for name in ("run", "b"):
        case.ended(f"{name} once more", case.begin(run=case.folder / name), [MISUSED])
        case.ended(f"{name}, --resume", case.begin("--resume", run=case.folder / name), [0])
        if differing(case.folder / name, case.world.expected):
            case.fail("another result")


def read_only(case: Case) -> None:
    # A disk with an open file cannot be remounted by hand, only by a kernel that met an error.
    midway = case.begin(start=dying("readonly", "*", 20))
    case.ended("the disk becomes read-only in the middle", midway, [REFUSED])
    case.ends_well()
    with tmpfs(case.folder / "disk", 64 * MB) as disk:
        remount(disk, "ro")
        case.ended("a run folder on a read-only disk", case.begin(run=disk / "run"), [REFUSED])
        remount(disk, "rw")
        case.in_body(run=disk / "run").kill()
        remount(disk, "ro")
        case.ended("an unfinished run on one", case.begin(run=disk / "run"), [REFUSED])
        remount(disk, "rw")
        case.ends_well(run=disk / "run")


def read_only_cache(case: Case) -> None:
    with tmpfs(case.folder / "disk", 64 * MB) as disk:
        remount(disk, "ro")
        case.ends_well("a pixel cache on a read-only disk", cache=disk / "cache")


def disk_full(case: Case) -> None:
    """The run folder on disks of several sizes; each is made large enough in the end."""
    whole = sum(p.stat().st_size for p in (case.world.folder / "undisturbed/run").rglob("*"))
    last = case.world.sizes["last.safetensors"]
    best = case.world.sizes["best.safetensors"]
    sizes = [0, last // 2, last + best // 2, 2 * last, 2 * last + best, 3 * last, whole - MB // 8]
    for number, size in enumerate(sorted(sizes)):
        with tmpfs(case.folder / f"disk{number}", size) as disk:
            run = disk / "run"
            done = f"the run folder on a disk of {size / MB:.2f} MB"
            attempt = case.ended(done, case.begin(run=run), [REFUSED, 0])
            print(f"        it was in {[*attempt.begun][-2]}")
            remount(disk, "size=64m")
            case.ends_well("the same command, with room", run=run)


def disk_fills(case: Case) -> None:
    """Somebody else takes all that is left, in each phase."""
    for phase in PHASES[1:]:
        with tmpfs(case.folder / f"disk_{phase}", 64 * MB) as disk:
            attempt = case.begin(run=disk / "run")
            attempt.wait_for(phase)
            filler = fill(disk)
            case.ended(f"the disk fills in {phase}", attempt, [REFUSED])
            filler.unlink()
            case.ends_well("the same command, with room", run=disk / "run")


def cache_full(case: Case) -> None:
    with tmpfs(case.folder / "disk", MB) as disk:
        case.ends_well("a cache on a disk of 1 MB", cache=disk / "cache")
    shutil.rmtree(case.run)
    with tmpfs(case.folder / "other", 64 * MB) as disk:
        attempt = case.begin(cache=disk / "cache")
        attempt.wait_until(lambda: bool(list(disk.rglob("*.part"))))
        fill(disk)
        case.ended("the disk of the cache fills while it is written", attempt, [0])
        if differing(case.run, case.world.expected):
            case.fail("another result")


def temporary_full(case: Case) -> None:
    case.interrupted()
    with tmpfs(case.folder / "tmp", 4096) as disk:
        fill(disk)
        full = case.begin(env={"TMPDIR": str(disk)})
        case.ended("no room for temporary files", full, [0, REFUSED])
    if not (case.run / "metrics.json").exists():
        case.ends_well()


def every_write(case: Case) -> None:
    """One file after another cannot be written, each in an attempt of its own."""
    for pattern in (
        *("*.list", "config.yaml", "environment.json", "manifest.csv", "history.csv"),
        *("last.safetensors", "best.safetensors", "model.cxr", "predictions_valid.csv"),
        *("*.png", "README.md", "*.html", "report.json", "checklists*", "*.md", "metrics.json"),
    ):
        for event in ("full", "readonly"):
            attempt = case.begin(start=dying(event, pattern))
            codes = [0] if pattern == "*.list" else [REFUSED, 0]
            case.ended(f"{event} for {pattern}", attempt, codes)
            if (case.run / "metrics.json").exists():
                if differing(case.run, case.world.expected):
                    case.fail("another result")
                shutil.rmtree(case.run)
    case.ends_well()


def clock_set(case: Case) -> None:
    shift = case.folder / "clock"
    env, means = clock(shift, 0)
    print(f"    by {means}")
    attempt = case.in_body(env=env)
    set_clock(shift, -YEAR)
    time.sleep(1)
    attempt.process.send_signal(signal.SIGTERM)
    case.ended("set back by a year in the body, then SIGTERM", attempt, [143])
    set_clock(shift, YEAR)
    second = case.in_body(env=env)
    set_clock(shift, -YEAR)
    case.ended("gone on a year ahead, then set back by two", second, [0])
    if differing(case.run, case.world.expected):
        case.fail("another result")


def stamps(case: Case) -> None:
    """Times of files from the future and from 1970."""
    for when in (time.time() + YEAR, 0):
        case.interrupted()
        for path in [*case.run.rglob("*"), *case.cache.rglob("*")]:
            os.utime(path, (when, when))
        case.ends_well(f"all files are of {time.strftime('%Y', time.gmtime(when))}")
        shutil.rmtree(case.run)
        shutil.rmtree(case.cache)


def places_of(path: Path) -> dict[str, int]:
    """A byte in each region of a safetensors file; the best weights have no facts."""
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = content[8 : 8 + length]
    json.loads(header)
    marks = {
        "hash": (b'"sha256"', 12),
        "name of the hash": (b'"sha256"', 3),
        "facts": (b'"facts"', 30),
        "shape": (b'"shape"', 9),
        "offset": (b'"data_offsets"', 17),
    }
    found = {name: 8 + header.index(m) + at for name, (m, at) in marks.items() if m in header}
    return {
        **{"length": 1, "brace": 8, **found},
        "tensors": 8 + length + (len(content) - 8 - length) // 2,
        "last byte": len(content) - 1,
    }


def damaged_states(case: Case) -> None:
    """Flipped or cut, the last state, the one before, the best, and all of them."""
    last = case.world.interrupted / "run/checkpoints/last.safetensors"
    size = last.stat().st_size
    for region in places_of(last):
        harm(case, f"last: a flipped bit in its {region}", ["last"], partial(flip_in, region))
    for cut in (0, 8, size // 2, size - 1):
        harm(case, f"last: cut to {cut:,} bytes", ["last"], partial(os.truncate, length=cut))
    for names in (["previous"], ["best"], ["last", "previous"], ["last", "previous", "best"]):
        harm(case, f"{', '.join(names)}: flipped", names, partial(flip_in, "tensors"))
        harm(case, f"{', '.join(names)}: cut", names, partial(os.truncate, length=999))
    harm(case, "best: gone", ["best"], Path.unlink)


def flip_in(region: str, path: Path) -> None:
    flip(path, places_of(path)[region])


def harm(case: Case, done: str, names: list[str], how: Callable[[Path], Any]) -> None:
    case.interrupted()
    for name in names:
        how(case.run / "checkpoints" / f"{name}.safetensors")
    case.ends_well(done)
    shutil.rmtree(case.run)
    shutil.rmtree(case.cache)


def damaged_files(case: Case) -> None:
    """The small files of an interrupted run: refused in a line, or made again."""
    for name, content in product(("config.yaml", "manifest.csv", "environment.json"), (b"", b"{")):
        case.interrupted()
        (case.run / name).write_bytes(content)
        done = f"{name} holds {content.decode() or 'nothing'!r}"
        attempt = case.ended(done, case.begin(), [0, REFUSED, MISUSED])
        shutil.copy(case.world.interrupted / "run" / name, case.run)
        if attempt.process.returncode:
            case.ends_well()
        shutil.rmtree(case.run)
        shutil.rmtree(case.cache)


def signals(case: Case) -> None:
    """In every phase, once, twice and three times in a row."""
    for number, times in product(STOPPED, (1, 2, 3)):
        for phase in PHASES:
            attempt = case.begin()
            attempt.wait_for(phase)
            time.sleep(0.5 if phase == "start" else 0.05)
            for _ in range(times):
                attempt.process.send_signal(number)
                time.sleep(0.02)
            codes = {STOPPED[number], *([-number] if phase == "start" or times > 1 else [])}
            case.ended(f"{number.name} x {times} in {phase}", attempt, codes)
        case.ends_well()
        shutil.rmtree(case.run)
        shutil.rmtree(case.cache)


def cache_between(case: Case) -> None:
    """Harm to the kept pixels between stop and resume."""
    for kind, how in product(("npy", "json", "list"), ("gone", "cut", "flipped")):
        case.interrupted()
        (path,) = case.cache.rglob(f"*.{kind}")
        _spoil(path, how)
        case.ends_well(f"the .{kind} of the cache is {how}")
        shutil.rmtree(case.run)
        shutil.rmtree(case.cache)
    case.interrupted()
    shutil.rmtree(case.cache)
    case.ends_well("the cache is gone")


def _spoil(path: Path, how: str) -> None:
    if how == "gone":
        path.unlink()
    elif how == "cut":
        os.truncate(path, path.stat().st_size // 2)
    else:
        flip(path, path.stat().st_size // 2)


def cache_meanwhile(case: Case) -> None:
    """The same while the run reads them."""
    for how in ("gone", "flipped", "cut"):
        attempt = case.in_body()
        (path,) = case.cache.rglob("*.npy")
        if how == "flipped":  # everywhere, or nothing that is trained on might be hit
            for position in range(200, path.stat().st_size, 1000):
                flip(path, position, 7)
        else:
            _spoil(path, how)
        codes = [0] if how == "gone" else [0, REFUSED]
        case.ended(f"the pixels are {how} in the body", attempt, codes)
        if (case.run / "metrics.json").exists():
            if differing(case.run, case.world.expected):
                case.fail("another result")
        else:
            case.ends_well()
        shutil.rmtree(case.run)
        shutil.rmtree(case.cache)


def vanished_data(case: Case) -> None:
    images, away = case.folder / "images", case.folder / "away"
    for phase in PHASES[1:]:
        attempt = case.begin()
        attempt.wait_for(phase)
        images.rename(away)
        case.ended(f"the data set goes in {phase}", attempt, [0, REFUSED])
        if (case.run / "metrics.json").exists():
            if differing(case.run, case.world.expected):
                case.fail("another result")
            shutil.rmtree(case.run)
        else:
            case.ended("the same command without it", case.begin(), [REFUSED, MISUSED])
            away.rename(images)
            case.ends_well()
        if away.exists():
            away.rename(images)
        shutil.rmtree(case.cache, ignore_errors=True)
        shutil.rmtree(case.run, ignore_errors=True)


def few_vanish(case: Case) -> None:
    """A share that fails for a moment: fewer files than may be unreadable in a data set."""
    images = sorted((case.folder / "images").rglob("*.jp*g"))[:10]
    attempt = case.begin(start=dying("before", "*.npy"))
    attempt.wait_for("cache")
    for path in images:
        path.rename(path.with_suffix(".away"))
    attempt.finish()
    for path in images:
        path.with_suffix(".away").rename(path)
    case.ends_well("ten files were away for a moment")


def suspended(case: Case) -> None:
    """As a laptop that sleeps."""
    for phase in ("cache", "body", "export"):
        attempt = case.begin()
        attempt.wait_for(phase)
        attempt.process.send_signal(signal.SIGSTOP)
        time.sleep(20 if phase == "body" else 3)
        attempt.process.send_signal(signal.SIGCONT)
        case.ended(f"suspended in {phase}", attempt, [0])
        if differing(case.run, case.world.expected):
            case.fail("another result")
        shutil.rmtree(case.run)
        shutil.rmtree(case.cache)


def memory(case: Case) -> None:
    """`ulimit -v`: too little for the libraries, then nearly nothing more from a phase on."""
    small = case.begin(prepare=partial(address_space, 2000 * MB))
    case.ended("an address space of 2,000 MB", small, [REFUSED])
    for phase, megabytes in product(PHASES[1:], (1, 16)):
        attempt = case.begin()
        attempt.wait_for(phase)
        no_more_than(attempt.process.pid, megabytes * MB)
        case.ended(f"{megabytes} MB more from {phase} on", attempt, [0, REFUSED])
        halved = any(line.startswith("out of memory: batches") for line in attempt.lines)
        if not (case.run / "metrics.json").exists():
            again = case.ended("without a limit", case.begin(), [0])
            halved |= any(line.startswith("out of memory: batches") for line in again.lines)
        if not halved and differing(case.run, case.world.expected):  # else it depends on where
            case.fail("another result")
        shutil.rmtree(case.run)


def memory_killed(case: Case) -> None:
    """The system's own answer: the process is killed where it takes too much."""
    for megabytes in (200, 300, 400, 500, 600):
        with memory_group(f"cxr-faults-{os.getpid()}", megabytes * MB) as group:
            start = case.begin(prepare=partial(_join, group))
            case.ended(f"killed over {megabytes:,} MB", start, [0, -signal.SIGKILL])
        if (case.run / "metrics.json").exists():
            break
    case.ended("without a limit", case.begin("--resume"), [0])
    if differing(case.run, case.world.expected):
        case.fail("another result")


def _join(group: Path) -> None:
    (group / "cgroup.procs").write_text("0")


CASES = (
    two_processes,
    read_only,
    read_only_cache,
    disk_full,
    disk_fills,
    cache_full,
    temporary_full,
    every_write,
    clock_set,
    stamps,
    damaged_states,
    damaged_files,
    signals,
    cache_between,
    cache_meanwhile,
    vanished_data,
    few_vanish,
    suspended,
    memory,
    memory_killed,
)


def tried(world: World, function: Callable[[Case], None]) -> Case:
    case, start = world.case(function.__name__), time.perf_counter()
    print(f"{case.name}", flush=True)
    try:
        function(case)
    except NotHere as error:
        case.not_here = str(error)
        print(f"    not done: {error}")
    seconds = time.perf_counter() - start
    print(f"    {'FAILED' if case.wrong else 'ok'} ({seconds:.0f} s)\n", flush=True)
    shutil.rmtree(case.folder)
    return case


def main() -> None:
    parser = arguments(__doc__ or "")
    add_trial_options(parser, images=False)
    options = parser.parse_args()
    # A shell makes what it runs in the background deaf to it, and children inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    chosen = options.only.split(",") if options.only else None
    with TemporaryDirectory() as name:
        world = World(Path(name))
        world.prepare()
        cases = [tried(world, f) for f in CASES if chosen is None or f.__name__ in chosen]
    rows = [
        {"contender": "cxr", "case": case.name, "steps": case.steps, "wrong": case.wrong}
        | {"not_done": case.not_here, "failures": len(case.wrong)}
        for case in cases
    ]
    n_steps, n_wrong = (sum(len(row[key]) for row in rows) for key in ("steps", "wrong"))
    notes = [f"{n_steps} runs in {len(cases)} cases: {n_wrong} failures"]
    notes += [f"not done: {case.name}: {case.not_here}" for case in cases if case.not_here]
    notes += [f"{case.name}: {what}" for case in cases for what in case.wrong]
    report("faults", rows, notes=notes, store=options.store)
    sys.exit(n_wrong > 0)


if __name__ == "__main__":
    main()
