"""The command line: one module a command, each calling one library function."""

from __future__ import annotations

import io
import signal
import sys


def main() -> None:
    """Entry point of `cxr`: any error that cxr raises on purpose is one line and an exit code."""
    from .app import INTERRUPTED, run

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a name that the terminal cannot show is no error
            stream.reconfigure(errors="backslashreplace")
    try:
        code = run(sys.argv[1:])
    except KeyboardInterrupt:  # again, while the first was being reported
        code = INTERRUPTED
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # else a traceback while Python ends
    sys.exit(code)
