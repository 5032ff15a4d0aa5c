"""All checks of a data set, the worst findings first."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from .copies import check_copies
from .dimensions import check_dimensions
from .finding import Finding
from .labels import check_labels
from .patients import check_patients
from .scan import Scan, scan
from .unreadable import check_unreadable

# A new check is a new file and a line here.
CHECKS: tuple[Callable[[Scan], list[Finding]], ...] = (
    check_unreadable,
    check_copies,
    check_patients,
    check_labels,
    check_dimensions,
)
SEVERITIES = ("error", "warning", "info")


def check_data(data: Path | str, **manifest_options: Any) -> list[Finding]:
    """What is wrong, or worth knowing, about the images at `data`; nothing is changed there.

    `manifest_options` as in `read_manifest`. Paths in the findings are relative to the data set,
    as in its manifest. No finding names a patient, other than by the names of files.

    Raises UsageError, DataError or ManifestError when the data cannot be read as a manifest.
    """
    from ..find import read_manifest

    scanned = scan(read_manifest(data, **manifest_options))
    findings = [finding for check in CHECKS for finding in check(scanned)]
    return sorted(findings, key=_rank)


def _rank(finding: Finding) -> tuple[int, bool]:
    """What concerns the whole set comes before what concerns single files."""
    return SEVERITIES.index(finding.severity), finding.path is not None
