"""What every command shares: how a result is printed."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from ..errors import UnknownName

ENGINES = ("local", "ray")


def check_engine(name: str) -> None:
    """Raises UnknownName."""
    if name not in ENGINES:
        raise UnknownName("engine", name, ENGINES)


def emit(result: dict[str, Any], as_json: bool, human: str) -> None:
    """The result on stdout: JSON for machines, or a line for people."""
    if as_json:
        human = json.dumps(result, indent=2, allow_nan=False, default=_plain)
    sys.stdout.write(human + "\n")
    sys.stdout.flush()  # a closed pipe must show here, not after the end


def _plain(value: object) -> str:
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} is not JSON")
