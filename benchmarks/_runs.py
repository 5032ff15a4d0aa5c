"""A `cxr train` process seen from outside: which phase it is in, what it said, what it left."""

from __future__ import annotations

import csv
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
CXR = [sys.executable, "-c", "from cxr.cli import main; main()"]
"""The command itself; `dying` is the same with a fault in it."""

PHASES = ("start", "cache", "head", "body", "export")
"""Of the recipe `robust`: imports, decoding, the frozen body, the unfrozen one, all after it."""

_IMAGES = re.compile(r"[\d,]+ images, classes ")
_HEAD = "the head alone"
_TABLE = re.compile(r"\s+epoch\s+train_loss")
_ROW = re.compile(r"\s+(\d+)\s+[\d.]+\s+[\d.]+")
_GOING_ON = re.compile(r"going on at step (\d+) of epoch (\d+)")
SAME_FILES = ("model.cxr", "metrics.json", "predictions_valid.csv")


def dying(event: str, pattern: str, count: int = 1) -> list[str]:
    """`cxr` with a fault in the writing of one file; see `_dying.py`."""
    return [sys.executable, str(HERE / "_dying.py"), event, pattern, str(count)]


class Attempt:
    """One process. `begun` says when which phase began, read off what it prints."""

    def __init__(
        self,
        command: Sequence[str],
        env: Mapping[str, str],
        last_epoch: int,
        prepare: Callable[[], None] | None = None,
    ) -> None:
        self.start, self.last_epoch = time.perf_counter(), last_epoch
        self.run = Path(command[command.index("--run") + 1])
        self.begun = {"start": 0.0}
        self.lines: list[str] = []
        self.news = threading.Condition()
        self.process = subprocess.Popen(
            list(command),
            env=os.environ | dict(env),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            preexec_fn=prepare,
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
                    self.begun.setdefault(phase, self.age)
                self.news.notify_all()
        with self.news:
            self.begun.setdefault("end", self.age)
            self.news.notify_all()

    def _phase_after(self, line: str) -> str | None:
        if _IMAGES.match(line):
            return "cache"
        if _HEAD in line:
            return "head"
        if _TABLE.match(line):
            return None if "head" in self.begun else "body"
        went, row = _GOING_ON.match(line), _ROW.match(line)
        if went and int(went[2]) == self.last_epoch + 1:
            return "export"
        if row is None:
            return None
        return "export" if int(row[1]) == self.last_epoch else "body"

    @property
    def age(self) -> float:
        return time.perf_counter() - self.start

    @property
    def phase(self) -> str:
        return list(self.begun)[-1]

    @property
    def lengths(self) -> dict[str, float]:
        """Seconds of the phases that are over."""
        ends = [*self.begun.values()][1:]
        return {name: end - at for (name, at), end in zip(self.begun.items(), ends, strict=False)}

    @property
    def went_on(self) -> str:
        """Where it took up the run, in its own words."""
        for line in self.lines:
            if _GOING_ON.match(line):
                return line.partition(" (")[0].removeprefix("going on at ")
            if line.startswith("training the "):
                return "the start"
            if line.endswith("is finished already"):
                return "the end"
        return "not said before the next kill"

    def done_before(self, steps_an_epoch: int) -> float:
        """Share of the body's steps that it found done."""
        found = (_GOING_ON.match(line) for line in self.lines)
        step, epoch = next((map(int, m.groups()) for m in found if m), (0, 1))
        done = epoch - 2 + step / steps_an_epoch  # the first epoch is the head's
        return max(0.0, done / (self.last_epoch - 1))

    def wait_for(self, phase: str) -> bool:
        """Until it begins, or a later one where it was done before; False when it did not."""
        awaited = {*PHASES[PHASES.index(phase) :], "end"}
        with self.news:
            self.news.wait_for(lambda: not awaited.isdisjoint(self.begun))
            return phase in self.begun

    def wait_until(self, seen: Callable[[], bool], every: float = 0.001) -> bool:
        """False when the process ended before."""
        while self.process.poll() is None:
            if seen():
                return True
            time.sleep(every)
        return False

    def kill(self) -> str | None:
        """The phase it was in; None when it was done."""
        with self.news:
            ended = self.process.poll() is not None or "end" in self.begun
            hit = None if ended else self.phase
        self.process.kill()
        self.finish()
        return hit

    def finish(self) -> int:
        code = self.process.wait()
        self.reader.join()
        return code

    @property
    def said(self) -> str:
        """What `cxr` has to say at its end."""
        return next((line for line in reversed(self.lines) if line.startswith("cxr: ")), "")


def outcome(run: Path) -> dict[str, Any]:
    """What must come out the same: bytes, and the history without its times."""
    from safetensors.numpy import load_file

    found: dict[str, Any] = {name: (run / name).read_bytes() for name in SAME_FILES}
    for name in ("best", "last"):
        tensors = load_file(run / "checkpoints" / f"{name}.safetensors")
        found[name] = {key: value.tobytes() for key, value in sorted(tensors.items())}
    with (run / "history.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    found["history.csv"] = [{k: v for k, v in row.items() if k != "seconds"} for row in rows]
    return found


def differing(run: Path, expected: dict[str, Any]) -> list[str]:
    """What is other than expected, and what was left behind."""
    if not (run / "metrics.json").is_file():
        return ["not finished"]
    found = outcome(run)
    left = [path.name for path in run.rglob("*") if ".part" in path.name or "lock" in path.name]
    return [name for name in expected if expected[name] != found[name]] + left
