"""The command line: one module a command, each calling one library function."""

from __future__ import annotations

import io
import sys


def main() -> None:
    """Entry point of `cxr`: any error that cxr raises on purpose is one line and an exit code."""
    from .app import run

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a name that the terminal cannot show is no error
            stream.reconfigure(errors="backslashreplace")
    sys.exit(run(sys.argv[1:]))
