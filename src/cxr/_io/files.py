"""Files are written to a temporary name beside the final one, then renamed."""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import platformdirs

from ..errors import DataError, StorageError


def cache_dir() -> Path:
    """`$CXR_CACHE_DIR`, or the platform's user cache folder. Not created here."""
    chosen = os.environ.get("CXR_CACHE_DIR")
    return Path(chosen) if chosen else Path(platformdirs.user_cache_dir("cxr", appauthor=False))


@contextmanager
def atomic_path(final: Path | str) -> Iterator[Path]:
    """Yields a temporary path; on success it is renamed to `final`, on failure it is removed.

    Works for a file or a folder (a folder must not exist yet under the final name).
    Raises StorageError when the disk is full, read-only or not writable.
    """
    with scratch_path(final) as temporary:
        yield temporary
        temporary.replace(final)


@contextmanager
def scratch_path(beside: Path | str) -> Iterator[Path]:
    """Yields a hidden name beside a final one; what still lies there at the end is removed.

    No other process and no other thread gets the same name. Errors as `atomic_path`.
    """
    beside = Path(beside)
    temporary = beside.with_name(f".{beside.name}.{os.getpid()}-{secrets.token_hex(4)}.part")
    try:
        beside.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
    except OSError as error:
        raise storage_error(error, beside) from error
    finally:
        if temporary.is_dir():
            shutil.rmtree(temporary, ignore_errors=True)
        else:
            with suppress(OSError):  # a failed clean-up must not hide the error that led to it
                temporary.unlink(missing_ok=True)


def storage_error(error: OSError, path: Path) -> Exception:
    """The one-line StorageError for a failed write; any other OSError is returned unchanged."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageError(
            f"disk full while writing {path}; nothing was left half-written: "
            "free some space and run the command again"
        )
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return StorageError(
            f"cannot write {path} ({os.strerror(error.errno)}); choose a folder you may write to"
        )
    if error.errno in (errno.ENOTDIR, errno.EEXIST, errno.ENOTEMPTY, errno.EISDIR):
        return StorageError(
            f"cannot write {path} ({os.strerror(error.errno)}); choose another name"
        )
    if error.errno == errno.EFBIG:
        return StorageError(
            f"cannot write {path} ({os.strerror(error.errno)}); this disk, or a limit set for you "
            "(ulimit -f), allows no file of that size: choose another disk or raise it"
        )
    return error


def to_disk(path: Path) -> None:
    """Waits until a file, or the names in a folder, are on the disk itself.

    A power cut else leaves a new name with nothing in it, or an older state of the folder.
    """
    if path.is_dir() and os.name == "nt":  # where folders cannot be opened
        return
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_text(path: Path | str, text: str) -> Path:
    """On the disk before it gets its name: what a file's presence says holds after a power cut."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
        to_disk(temporary)
    return Path(path)


def write_json(path: Path | str, value: Any) -> Path:
    """Strict JSON, UTF-8, two spaces. NaN is refused: a figure is null with a reason."""
    return write_text(path, json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False) + "\n")


def read_json(path: Path | str) -> Any:
    """Raises DataError naming the file when it is not JSON."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is not valid JSON ({error})") from error


def sealed(values: Mapping[str, Any], **style: Any) -> str:
    """JSON with a checksum of itself; `style` as `json.dumps` takes it."""
    return json.dumps({**values, "checksum": _checksum(values)}, **style) + "\n"


def unsealed(content: bytes) -> dict[str, Any]:
    """What was sealed. Raises one of UNSEALED_ERRORS unless it is as it was written."""
    values: dict[str, Any] = json.loads(content)
    if values.pop("checksum") != _checksum(values):
        raise ValueError("its record was changed")
    return values


UNSEALED_ERRORS = (ValueError, TypeError, LookupError, AttributeError, RecursionError)


def _checksum(values: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def require_room(folder: Path, n_bytes: float, what: str, else_do: str = "") -> None:
    """Raises StorageError unless `n_bytes` fit on the disk of `folder`, which may be still to come.

    `what` needs them, and `else_do` is what helps.
    """
    absolute = folder.absolute()
    place = next(path for path in (absolute, *absolute.parents) if path.is_dir())
    free = shutil.disk_usage(place).free
    if n_bytes > free:
        raise StorageError(
            f"{place} has {free / 1e6:,.1f} MB free, {what} {n_bytes / 1e6:,.1f} MB"
            + (f"; {else_do}" if else_do else "")
        )


def sha256_file(path: Path | str) -> str:
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def finite_or_none(value: float | None) -> float | None:
    """JSON has no NaN: an undefined figure becomes null."""
    return None if value is None or not math.isfinite(value) else float(value)
