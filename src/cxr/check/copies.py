"""The same picture more than once: equal in every pixel, whatever the file's name or format."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from .._io import sha256_file
from .finding import Finding
from .scan import Scan


def check_copies(scan: Scan) -> list[Finding]:
    """Copies with different labels (error), on two sides of a split (error), or simply repeated.

    Where labels differ each of the copies is reported, as any of them may be the wrong one;
    otherwise the first is taken as the original.
    """
    findings = []
    for rows in _copies(scan):
        if _differ(scan, rows, scan.label_columns):
            findings += [_torn(scan, row, rows) for row in rows]
        else:
            findings += [_repeat(scan, row, rows) for row in rows[1:]]
    return findings


def _copies(scan: Scan) -> list[list[int]]:
    rows_of: dict[str, list[int]] = defaultdict(list)
    for row, facts in enumerate(scan.files):
        if facts.pixels is not None:
            rows_of[facts.pixels].append(row)
    return [rows for rows in rows_of.values() if len(rows) > 1]


def _differ(scan: Scan, rows: list[int], columns: list[str]) -> bool:
    """Whether two of the rows have different values in a column; a blank differs from nothing."""
    table = scan.manifest.table.iloc[rows]
    return any(table[column].nunique() > 1 for column in columns if column in table)


def _torn(scan: Scan, row: int, rows: list[int]) -> Finding:
    other = next(one for one in rows if _differ(scan, [row, one], scan.label_columns))
    return Finding(
        code="copy-across-labels",
        severity="error",
        message=f"{scan.names[row]} and {scan.names[other]} are one picture with different labels",
        path=Path(scan.names[row]),
        evidence=_evidence(scan, row, rows),
        action="find out which label is right and remove the others",
    )


def _repeat(scan: Scan, row: int, rows: list[int]) -> Finding:
    pair = [rows[0], row]
    across_splits = _differ(scan, pair, ["split"])
    message = f"{scan.names[row]} is a copy of {scan.names[rows[0]]}"
    if across_splits:
        message += ", on the other side of the split"
    if _differ(scan, pair, ["patient"]):
        message += ", listed under another patient"
    return Finding(
        code="copy-across-splits" if across_splits else "copy",
        severity="error" if across_splits else "warning",
        message=message,
        path=Path(scan.names[row]),
        evidence=_evidence(scan, row, rows),
        action="keep one of them",
    )


def _evidence(scan: Scan, row: int, rows: list[int]) -> dict[str, object]:
    """`same_bytes`: the files are equal; otherwise only their pictures are."""
    digests = {sha256_file(scan.manifest.root / scan.names[one]) for one in rows}
    return {
        "copies": [scan.names[one] for one in rows if one != row],
        "same_bytes": len(digests) == 1,
    }
