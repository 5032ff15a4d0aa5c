"""Files that cannot be turned into pixels: each is read to its last byte."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ...errors import ImageError
from ...pixels import available_cpus, load_grey, map_in_order
from ..finding import Finding
from ..scan import Scan, file_size

# A small size lets JPEGs be decoded at a reduced scale, which still reads every coded bit.
_SIDE = 64


def check_unreadable(scan: Scan) -> list[Finding]:
    """One error for each file of a data set that cannot be read."""
    return [
        unreadable(Path(name), facts.error, facts.bytes)
        for name, facts in zip(scan.names, scan.files, strict=True)
        if facts.error is not None
    ]


def find_unreadable(paths: Iterable[Path], *, workers: int | None = None) -> list[Finding]:
    """One finding for each of `paths` that `load_grey` refuses, in the order given.

    The evidence holds the reason, in the words of the library that failed, and the file's size.
    `workers` threads, default one a CPU.
    """
    done = map_in_order(_finding, map(Path, paths), workers or available_cpus())
    return [finding for finding in done if finding is not None]


def verify_images(fns: Iterable[Path | str]) -> list[Path]:
    """The files among `fns` that cannot be opened: fast.ai's function of this name."""
    return [finding.path for finding in find_unreadable(map(Path, fns)) if finding.path is not None]


def unreadable(path: Path, reason: str, n_bytes: int | None) -> Finding:
    name = path.name if path.is_absolute() else path.as_posix()
    return Finding(
        code="unreadable",
        severity="error",
        message=f"{name} cannot be read: {reason}",
        path=path,
        evidence={"reason": reason, "bytes": n_bytes},
        action="replace the file with a whole copy, or leave it out",
    )


def _finding(path: Path) -> Finding | None:
    try:
        load_grey(path, _SIDE)
    except ImageError as error:
        return unreadable(path, error.reason, file_size(path))
    return None
