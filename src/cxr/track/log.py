"""`log.jsonl` in the run folder: what happened, one JSON object a line (`docs/tracking.md`)."""

from __future__ import annotations

import json
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from .._io import say
from .._io.files import storage_error

LOG = "log.jsonl"

Line = dict[str, Any]


class RunLog:
    """Appends lines that are whole: a process killed while it writes loses that line at most.

    Every line has `time` (UTC), `seconds` since this object was made, by a clock that nobody sets,
    and `event`. A log that cannot be written is said once and ends nothing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._start = time.monotonic()
        self._lock = threading.Lock()
        self._said = False

    def write(self, event: str, **facts: Any) -> Line:
        """Adds a line and returns it. Facts are JSON types; NaN is none of them."""
        line = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "seconds": round(time.monotonic() - self._start, 3),
            "event": event,
            **facts,
        }
        text = json.dumps(line, allow_nan=False, ensure_ascii=False) + "\n"
        try:
            with self._lock:
                append_line(self.path, text.encode())
        except OSError as error:
            if not self._said:
                say(f"{str(storage_error(error, self.path)).partition(';')[0]}: lines are missing")
            self._said = True
        return line


def append_line(path: Path, line: bytes) -> None:
    """After the last whole line: what a kill or a full disk left of another is cut off."""
    with path.open("a+b") as file:
        file.truncate(_whole(file))
        file.write(line)


def _whole(file: BinaryIO) -> int:
    """The length of `file` up to its last line end."""
    size = file.seek(0, 2)
    if size == 0:
        return 0
    file.seek(size - 1)
    if file.read(1) == b"\n":
        return size
    file.seek(0)
    return file.read().rfind(b"\n") + 1


def read_log(path: Path) -> list[Line]:
    """The lines of a log, without what is none; [] where there is no log."""
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return []
    lines = (_parse(line) for line in text.splitlines())
    return [line for line in lines if line is not None]


def _parse(text: bytes) -> Line | None:
    try:
        line = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return line if isinstance(line, dict) and isinstance(line.get("event"), str) else None
