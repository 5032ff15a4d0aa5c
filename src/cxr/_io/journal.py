"""How far an unfinished output is: a small file beside it, replaced as a whole."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from ..errors import DataError, UsageError
from .files import read_json
from .text import shorten

JobDescription = dict[str, str | int | float | None]
"""What an output depends on and must be the same to go on with it: names in words -> value."""

MAX_VALUE = 16  # characters of a value in a message


@dataclass(frozen=True)
class Journal:
    """`size` and `crc32` are those of the part of the output that is safely on disk, `rows` what it
    holds, of which `unreadable` are without a result.

    `whole` is [size, CRC-32] of the finished file, once all its bytes are on disk.
    """

    job: JobDescription
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
        content = read_json(path)
        if not _is_journal(content):
            raise DataError(f"{path} does not say how far a table is")
    except DataError as error:
        raise UsageError(f"{error}; begin anew with --restart") from error
    return Journal(**content)


def _is_journal(content: Any) -> bool:
    names = {field.name for field in fields(Journal)}
    if not isinstance(content, dict) or set(content) != names:
        return False
    whole = content["whole"] if content["whole"] is not None else [0, 0]
    numbers = [content[name] for name in ("rows", "unreadable", "size", "crc32")]
    return (
        isinstance(content["job"], dict)
        and isinstance(whole, list)
        and all(isinstance(n, int) for n in [*numbers, *whole])
    )


def check_same(path: Path | str, begun: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raises UsageError that says in what the job begun differs from that asked for now."""
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
    return "none" if value is None else shorten(str(value), MAX_VALUE)
