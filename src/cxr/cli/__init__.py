"""The command line: one module a command, each calling one library function."""

from __future__ import annotations

import sys


def main() -> None:
    """Entry point of `cxr`: any error that cxr raises on purpose is one line and an exit code."""
    from .app import run

    sys.exit(run(sys.argv[1:]))
