"""quarantine.csv: the files that `cxr check` found fault with, and a manifest without them."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .._io import atomic_path, say, sha256_file
from ..errors import DataError, UsageError

if TYPE_CHECKING:
    from .manifest import Manifest

# What is skipped -> the severities that it covers.
SKIPS: dict[str, tuple[str, ...]] = {"errors": ("error",), "all": ("error", "warning"), "none": ()}
SEVERITIES = SKIPS["all"]


@dataclass(frozen=True)
class QuarantineRow:
    """One fault of one file. `path` as in the manifest; `bytes` and `sha256` of what was looked at.

    They are None for a file that could not be read at all.
    """

    path: str
    code: str
    severity: str
    bytes: int | None
    sha256: str | None
    message: str


COLUMNS = tuple(field.name for field in fields(QuarantineRow))


@dataclass(frozen=True, eq=False)
class Quarantined:
    """`manifest` without the files of `skipped`; `stale` are rows that fit no file any more."""

    manifest: Manifest
    skipped: tuple[QuarantineRow, ...]
    stale: tuple[QuarantineRow, ...]

    @property
    def n_files(self) -> int:
        """How many files are skipped: one file may have several faults."""
        return len({row.path for row in self.skipped})


def without_quarantined(manifest: Manifest, source: Path | str, skip: str = "errors") -> Manifest:
    """The manifest without the files that the CSV `source` lists; a line says what was skipped.

    Raises as `read_quarantine` and `apply_quarantine` do.
    """
    left = apply_quarantine(manifest, read_quarantine(source), skip)
    if left.skipped:
        codes = Counter(row.code for row in left.skipped).most_common()
        say(
            f"skipped {left.n_files:,} of {len(manifest):,} images that {source} lists "
            f"({', '.join(f'{code} {n:,}' for code, n in codes)}); "
            "--skip-quarantined none uses them"
        )
    if left.stale:
        n = len({row.path for row in left.stale})
        say(
            f"{n:,} of the files that {source} lists {'is' if n == 1 else 'are'} not skipped: "
            "mended, replaced or removed since, or of other data; cxr check writes the list anew"
        )
    return left.manifest


def apply_quarantine(
    manifest: Manifest, rows: Iterable[QuarantineRow], skip: str = "errors"
) -> Quarantined:
    """The manifest without the files that `rows` name. `skip` is errors, all or none.

    A row counts only for the very file that was looked at: the path and the SHA-256 must both be
    the same, so a file that was mended or replaced is used again. A row without SHA-256 counts
    while the file still cannot be read.

    Raises UsageError for another `skip`, DataError when no image is left.
    """
    if skip not in SKIPS:
        raise UsageError(f"skip_quarantined={skip!r} is not one of {', '.join(SKIPS)}")
    wanted = [row for row in rows if row.severity in SKIPS[skip]]
    known = set(manifest.table["path"])
    digests = {path: digest(manifest.root / path) for path in {row.path for row in wanted} & known}
    skipped = tuple(row for row in wanted if digests.get(row.path, "") == row.sha256)
    stale = tuple(row for row in wanted if digests.get(row.path, "") != row.sha256)
    keep = ~manifest.table["path"].isin({row.path for row in skipped}).to_numpy(bool)
    if skipped and not keep.any():
        raise DataError(
            f"all {len(manifest):,} images are quarantined: mend them and "
            "run cxr check again, or give --skip-quarantined none"
        )
    left = manifest if keep.all() else manifest.select(np.flatnonzero(keep))
    return Quarantined(left, skipped, stale)


def digest(path: Path) -> str | None:
    """SHA-256 of a file in hexadecimal; None where there is no file that may be read."""
    try:
        return sha256_file(path) if path.is_file() else None
    except OSError:
        return None


def write_quarantine(rows: Iterable[QuarantineRow], path: Path | str) -> Path:
    """Writes the rows as CSV (UTF-8), whole or not at all. Raises StorageError."""
    path = Path(path)
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(astuple(row) for row in rows)
    return path


def read_quarantine(path: Path | str) -> list[QuarantineRow]:
    """The rows of a file that `write_quarantine` wrote; a spreadsheet may have saved it since.

    Raises UsageError, with the line, for a file that is missing or holds something else.
    """
    path = Path(path)
    if not path.is_file():
        raise UsageError(
            f"there is no quarantine file {path}; cxr check DATA --out FOLDER writes "
            "FOLDER/quarantine.csv"
        )
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, strict=True)
            _require_columns(reader.fieldnames or ())
            return [_row(line) for line in reader]
    except (ValueError, csv.Error) as error:
        what = "not UTF-8" if isinstance(error, UnicodeDecodeError) else error
        raise UsageError(
            f"{path} is not a quarantine file of cxr check ({what}); write it anew with cxr check "
            "or remove it"
        ) from error


def _require_columns(header: Iterable[str]) -> None:
    missing = [name for name in COLUMNS if name not in set(header)]
    if missing:
        raise ValueError(f"no column {', '.join(missing)}")


def _row(line: dict[str, str | None]) -> QuarantineRow:
    path, code, severity, n_bytes, sha256, message = (line[name] for name in COLUMNS)
    if message is None or not path or None in line:  # None: more cells than the header has
        raise ValueError(f"{'no path' if path == '' else 'cells missing or too many'} at {path!r}")
    if severity not in SEVERITIES:
        raise ValueError(f"severity {severity!r} at {path!r}, not {' or '.join(SEVERITIES)}")
    if n_bytes and not re.fullmatch(r"[0-9]{1,18}", n_bytes):
        raise ValueError(f"bytes {n_bytes!r} at {path!r}")
    if sha256 and not re.fullmatch(r"[0-9a-fA-F]{64}", sha256):
        raise ValueError(f"sha256 {sha256!r} at {path!r}")
    return QuarantineRow(
        path=path,
        code=code or "",
        severity=severity,
        bytes=int(n_bytes) if n_bytes else None,
        sha256=sha256.lower() if sha256 else None,
        message=message,
    )
