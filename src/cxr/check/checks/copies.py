"""The same image more than once: equal in every pixel, whatever the file's name or format."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from ..._io import sha256_file
from ..finding import Finding
from ..scan import Scan

MOST_NAMED = 11  # copies, in the evidence of a finding: of a thousand each would name a thousand


def check_copies(scan: Scan) -> list[Finding]:
    """Copies with different labels (error), on two sides of a split (error), or simply repeated.

    Where labels differ each of the copies is reported, as any of them may be the wrong one;
    otherwise the first is taken as the original.
    """
    findings = []
    for rows in _copies(scan):
        same = _same_bytes(scan, rows)
        kinds = _one_of_each_label(scan, rows)
        for row in rows:
            other = next((o for o in kinds if differ(scan, [o, row], scan.label_columns)), None)
            if other is not None:
                findings.append(_torn(scan, row, other, rows, same))
            elif row != rows[0]:
                findings.append(_repeat(scan, row, rows, same))
    return findings


def _copies(scan: Scan) -> list[list[int]]:
    rows_of: dict[str, list[int]] = defaultdict(list)
    for row, facts in enumerate(scan.files):
        if facts.pixels is not None:
            rows_of[facts.pixels].append(row)
    return [rows for rows in rows_of.values() if len(rows) > 1]


def _one_of_each_label(scan: Scan, rows: list[int]) -> list[int]:
    """So that a thousand copies aren't each compared with a thousand others."""
    if not scan.label_columns:
        return rows[:1]
    labels = scan.manifest.table[scan.label_columns].iloc[rows]
    return [row for row, repeated in zip(rows, labels.duplicated(), strict=True) if not repeated]


def differ(scan: Scan, rows: list[int], columns: list[str]) -> bool:
    """Whether two of the rows have different values in a column; a blank differs from nothing."""
    table = scan.manifest.table.iloc[rows]
    return any(table[column].nunique() > 1 for column in columns if column in table)


def _torn(scan: Scan, row: int, other: int, rows: list[int], same_bytes: bool) -> Finding:
    return Finding(
        code="copy-across-labels",
        severity="error",
        message=f"{scan.names[row]} and {scan.names[other]} are one image with different labels",
        path=Path(scan.names[row]),
        evidence=_evidence(scan, row, rows, same_bytes),
        action="find out which label is right and remove the others",
    )


def _repeat(scan: Scan, row: int, rows: list[int], same_bytes: bool) -> Finding:
    pair = [rows[0], row]
    across_splits = differ(scan, pair, ["split"])
    message = f"{scan.names[row]} is a copy of {scan.names[rows[0]]}"
    if across_splits:
        message += ", on the other side of the split"
    if differ(scan, pair, ["patient"]):
        message += ", listed under another patient"
    return Finding(
        code="copy-across-splits" if across_splits else "copy",
        severity="error" if across_splits else "warning",
        message=message,
        path=Path(scan.names[row]),
        evidence=_evidence(scan, row, rows, same_bytes),
        action="keep one of them",
    )


def _same_bytes(scan: Scan, rows: list[int]) -> bool:
    """Whether the files are equal, and not only their images."""
    if len({scan.files[row].bytes for row in rows}) > 1:
        return False
    return len({sha256_file(scan.manifest.root / scan.names[row]) for row in rows}) == 1


def _evidence(scan: Scan, row: int, rows: list[int], same_bytes: bool) -> dict[str, object]:
    others = [one for one in rows[: MOST_NAMED + 1] if one != row][:MOST_NAMED]
    return {"copies": [scan.names[one] for one in others], "same_bytes": same_bytes}
