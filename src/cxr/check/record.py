"""Findings for machines: check.json, and the rows of quarantine.csv."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

import numpy as np

from .. import __version__
from .._io.files import finite_or_none
from ..find.quarantine import SEVERITIES, QuarantineRow, digest
from ..pixels import available_cpus, map_in_order
from .checks.unreadable import file_size
from .finding import Finding, counts, verdict
from .result import CheckResult

FORMAT = 1
LONGEST = 1000  # characters of a message in a table


class CheckSummary(TypedDict):
    """How many findings of each severity, and how long the check took."""

    error: int
    warning: int
    info: int
    verdict: str
    seconds: float | None
    images_per_second: float | None


class CheckRecord(TypedDict):
    """What check.json holds; `quick`: only a part of the checks was made; `data` is
    `DataFacts.to_dict`, each finding is `Finding.to_dict`."""

    cxr: str
    format: int
    quick: bool
    data: dict[str, Any]
    summary: CheckSummary
    findings: list[dict[str, Any]]


def check_record(result: CheckResult) -> CheckRecord:
    """What check.json holds, in JSON types."""
    facts, n = result.facts, counts(result.findings)
    return CheckRecord(
        cxr=__version__,
        format=FORMAT,
        quick=result.quick,
        data=facts.to_dict(),
        summary=CheckSummary(
            error=n["error"],
            warning=n["warning"],
            info=n["info"],
            verdict=verdict(result.findings),
            seconds=finite_or_none(facts.seconds),
            images_per_second=finite_or_none(facts.images_per_second),
        ),
        findings=[_plain(finding.to_dict()) for finding in result.findings],
    )


def _plain(value: Any) -> Any:
    """In JSON types: a number of NumPy becomes one of Python, and NaN becomes null."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return finite_or_none(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    return value


def quarantine_rows(findings: Sequence[Finding], root: Path) -> list[QuarantineRow]:
    """A row for each error and each warning about a file, with the digest of the file as it is."""
    faults = _faults([finding for finding in findings if finding.severity in SEVERITIES])
    names = list(dict.fromkeys(name for name, _ in faults))
    digests = map_in_order(digest, (root / name for name in names), available_cpus())
    known = dict(zip(names, digests, strict=True))
    return [
        QuarantineRow(
            path=name,
            code=finding.code,
            severity=finding.severity,
            bytes=file_size(root / name),
            sha256=known[name],
            message=finding.message[:LONGEST],
        )
        for (name, _), finding in faults.items()
    ]


def listed_files(findings: Sequence[Finding], severity: str) -> set[str]:
    """The files that quarantine.csv lists with this severity."""
    return {name for name, _ in _faults([one for one in findings if one.severity == severity])}


def _faults(findings: Sequence[Finding]) -> dict[tuple[str, str], Finding]:
    """(file, code) -> the finding that speaks against the file, once.

    Of one image under several labels that is each copy: any of the labels may be the wrong one.
    """
    about = [(finding.path.as_posix(), finding) for finding in findings if finding.path]
    faults: dict[tuple[str, str], Finding] = {}
    for name, finding in about:
        faults.setdefault((name, finding.code), finding)
    for _, finding in about:
        if finding.code == "copy-across-labels":
            for name in finding.evidence.get("copies", ()):
                faults.setdefault((name, finding.code), finding)
    return faults
