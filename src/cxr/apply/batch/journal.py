"""How far an unfinished table is: a small file beside it, replaced as a whole."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from ..._io import read_json
from ...errors import DataError, UsageError

Job = dict[str, str | int | float | None]
"""What must be the same for work to go on: names in words -> value."""

SHOWN = 16  # characters of a value in a message


@dataclass(frozen=True)
class Journal:
    """`size` and `crc32` are those of the part of the table that is certain, `rows` what it holds.

    `whole` is [size, CRC-32] of the finished file, once all its bytes are on disk.
    """

    job: Job
    rows: int = 0
    unreadable: int = 0
    size: int = 0
    crc32: int = 0
    whole: list[int] | None = None

    def write(self, path: Path) -> None:
        """Whole or not at all, and on disk when this returns. Raises OSError."""
        write_synced(path, json.dumps(asdict(self), indent=2, ensure_ascii=False).encode())


def read_journal(path: Path) -> Journal | None:
    """None when there is none. Raises UsageError for a file that is no journal."""
    if not path.exists():
        return None
    try:
        found = read_json(path)
        if not _is_journal(found):
            raise DataError(f"{path} does not say how far a table is")
    except DataError as error:
        raise UsageError(f"{error}; begin anew with --restart") from error
    return Journal(**found)


def _is_journal(found: Any) -> bool:
    names = {field.name for field in fields(Journal)}
    if not isinstance(found, dict) or set(found) != names or not isinstance(found["job"], dict):
        return False
    whole = found["whole"] if found["whole"] is not None else [0, 0]
    numbers = [found[name] for name in ("rows", "unreadable", "size", "crc32")]
    return isinstance(whole, list) and all(isinstance(n, int) for n in [*numbers, *whole])


def check_same(path: Path | str, begun: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raises UsageError that says in what the work begun differs from that asked for now."""
    differ = [
        f"{name} {_short(begun.get(name))}, now {_short(now.get(name))}"
        for name in dict.fromkeys([*begun, *now])
        if begun.get(name) != now.get(name)
    ]
    if differ:
        raise UsageError(
            f"{path} was begun with another {'; another '.join(differ)}; finish it as it was "
            "begun, name another output, or begin anew with --restart"
        )


def write_synced(path: Path, data: bytes) -> None:
    """Its name beside `path` is always the same, so that a killed process leaves one at most."""
    temporary = path.with_name(f"{path.name}.new")
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def _short(value: object) -> str:
    text = "none" if value is None else str(value)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"
