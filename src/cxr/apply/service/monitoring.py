"""What the server writes down: one JSON line for each event, and counts for Prometheus.

What was sent, and by whom, is in neither. Metrics are in Prometheus's text format 0.0.4 and only
touched in the event loop's thread, so nothing is locked.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from ...errors import UnknownName

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40, "off": 100}


class EventLog:
    """Writes to `stream` (None: stderr as it then is) what is at least as grave as `level`."""

    def __init__(self, level: str = "off", stream: TextIO | None = None) -> None:
        if level not in LEVELS:
            raise UnknownName("log level", level, LEVELS)
        self.floor, self.stream = LEVELS[level], stream

    def write(self, level: str, event: str, **fields: Any) -> None:
        if LEVELS[level] < self.floor:
            return
        time = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = json.dumps({"time": time, "level": level, "event": event, **fields}) + "\n"
        stream = self.stream or sys.stderr
        try:
            stream.write(line)
            stream.flush()
        except (OSError, ValueError):  # whoever read the log is gone: serve on
            self.floor = LEVELS["off"]

    def failure(self, error: BaseException, **fields: Any) -> None:
        """An internal error: its kind and where it arose, but not its message, which may quote."""
        frames = traceback.extract_tb(error.__traceback__)[-4:]
        where = [f"{Path(one.filename).name}:{one.lineno} {one.name}" for one in frames]
        self.write("error", "failure", error=type(error).__name__, where=where, **fields)


# uvicorn's message when the client leaves during a reply: nobody's error.
CLIENT_GONE = "ASGI callable returned without completing response."


class UvicornHandler(logging.Handler):
    """What the HTTP server itself has to say."""

    def __init__(self, log: EventLog) -> None:
        super().__init__(logging.WARNING)
        self.log = log

    def emit(self, record: logging.LogRecord) -> None:
        level = "error" if record.levelno >= logging.ERROR else "warning"
        if record.exc_info and record.exc_info[1] is not None:
            self.log.failure(record.exc_info[1])
        elif record.getMessage() != CLIENT_GONE:  # already logged as `client gone`
            self.log.write(level, "server", said=record.getMessage())


MEDIA_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
SIZES = (1, 2, 4, 8, 16, 32)
Labels = tuple[str, ...]


class Counter:
    kind = "counter"

    def __init__(self, name: str, help: str, labels: Sequence[str] = ()) -> None:
        self.name, self.help, self.labels = name, help, tuple(labels)
        self.values: dict[Labels, float] = {} if labels else {(): 0}

    def add(self, *labels: str, n: float = 1) -> None:
        self.values[labels] = self.values.get(labels, 0) + n

    def lines(self) -> Iterator[str]:
        for labels, value in self.values.items():
            yield f"{self.name}{_pairs(self.labels, labels)} {_number(value)}"


class Gauge:
    """Asked for its value (and those of its labels) when it is read."""

    kind = "gauge"

    def __init__(
        self,
        name: str,
        help: str,
        value: Callable[[], float],
        labels: Callable[[], dict[str, str]] = dict,
    ) -> None:
        self.name, self.help, self.value, self.labels = name, help, value, labels

    def lines(self) -> Iterator[str]:
        labels = self.labels()
        yield f"{self.name}{_pairs(tuple(labels), tuple(labels.values()))} {_number(self.value())}"


class Histogram:
    kind = "histogram"

    def __init__(
        self, name: str, help: str, bounds: Sequence[float], labels: Sequence[str] = ()
    ) -> None:
        self.name, self.help, self.bounds, self.labels = name, help, bounds, tuple(labels)
        self.values: dict[Labels, list[float]] = {}  # a count for each bound, one above, the sum

    def add(self, value: float, *labels: str) -> None:
        counts = self.values.get(labels)
        if counts is None:
            counts = self.values[labels] = [0] * (len(self.bounds) + 2)
        counts[bisect_left(self.bounds, value)] += 1
        counts[-1] += value

    def lines(self) -> Iterator[str]:
        names = (*self.labels, "le")
        for labels, (*counts, total) in self.values.items():
            below = 0.0
            for bound, count in zip((*map(_number, self.bounds), "+Inf"), counts, strict=True):
                below += count
                yield f"{self.name}_bucket{_pairs(names, (*labels, bound))} {_number(below)}"
            own = _pairs(self.labels, labels)
            yield f"{self.name}_sum{own} {total!r}"
            yield f"{self.name}_count{own} {_number(below)}"


Measure = Counter | Gauge | Histogram


def exposition(measures: Sequence[Measure]) -> bytes:
    """All of them, as Prometheus reads them."""
    lines: list[str] = []
    for one in measures:
        lines += [f"# HELP {one.name} {one.help}", f"# TYPE {one.name} {one.kind}", *one.lines()]
    return ("\n".join(lines) + "\n").encode()


def _pairs(names: Labels, values: Labels) -> str:
    if not names:
        return ""
    pairs = (f'{name}="{_escaped(value)}"' for name, value in zip(names, values, strict=True))
    return f"{{{','.join(pairs)}}}"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)
