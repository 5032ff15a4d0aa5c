"""One line of JSON for each event. What was sent, and by whom, is never in it."""

from __future__ import annotations

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from ...errors import UnknownName

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40, "off": 100}


class Log:
    """Writes to `stream` (None: stderr as it then is) what is at least as grave as `level`."""

    def __init__(self, level: str = "off", stream: TextIO | None = None) -> None:
        if level not in LEVELS:
            raise UnknownName("log level", level, LEVELS)
        self.floor, self.stream = LEVELS[level], stream

    def write(self, level: str, event: str, **facts: Any) -> None:
        if LEVELS[level] < self.floor:
            return
        time = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = json.dumps({"time": time, "level": level, "event": event, **facts}) + "\n"
        stream = self.stream or sys.stderr
        try:
            stream.write(line)
            stream.flush()
        except (OSError, ValueError):  # whoever read the log is gone: serve on
            self.floor = LEVELS["off"]

    def failure(self, error: BaseException, **facts: Any) -> None:
        """An error of ours: its kind and where it arose, but not its words, which may quote."""
        frames = traceback.extract_tb(error.__traceback__)[-4:]
        where = [f"{Path(one.filename).name}:{one.lineno} {one.name}" for one in frames]
        self.write("error", "failure", error=type(error).__name__, where=where, **facts)


# uvicorn's word for it when the client went away while it was answered: no error of anybody.
GONE = "ASGI callable returned without completing response."


class Bridge(logging.Handler):
    """What the HTTP server itself has to say."""

    def __init__(self, log: Log) -> None:
        super().__init__(logging.WARNING)
        self.log = log

    def emit(self, record: logging.LogRecord) -> None:
        level = "error" if record.levelno >= logging.ERROR else "warning"
        if record.exc_info and record.exc_info[1] is not None:
            self.log.failure(record.exc_info[1])
        elif record.getMessage() != GONE:  # told already, as `client gone`
            self.log.write(level, "server", said=record.getMessage())
