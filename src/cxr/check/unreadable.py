"""Files that cannot be turned into pixels: each is read to its last byte."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ..errors import ImageError
from ..pixels import load_grey
from ..pixels.decode import available_cpus, map_in_order
from .finding import Finding

# A small size lets JPEGs be decoded at a reduced scale, which still reads every coded bit.
_SIDE = 64


def find_unreadable(paths: Iterable[Path], *, workers: int | None = None) -> list[Finding]:
    """One finding for each of `paths` that `load_grey` refuses, in the order given.

    The evidence holds the reason, in the words of the library that failed, and the file's size.
    `workers` threads, default one a CPU.
    """
    done = map_in_order(_finding, map(Path, paths), workers or available_cpus())
    return [finding for finding in done if finding is not None]


def verify_images(fns: Iterable[Path | str]) -> list[Path]:
    """The files among `fns` that cannot be opened: fast.ai's function of this name."""
    return [found.path for found in find_unreadable(map(Path, fns)) if found.path is not None]


def _finding(path: Path) -> Finding | None:
    try:
        load_grey(path, _SIDE)
    except ImageError as error:
        return Finding(
            code="unreadable",
            severity="error",
            message=f"{path.name} cannot be read: {error.reason}",
            path=path,
            evidence={"reason": error.reason, "bytes": _bytes(path)},
            action="replace the file with a whole copy, or leave it out",
        )
    return None


def _bytes(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except (OSError, ValueError):
        return None
