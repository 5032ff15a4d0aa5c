"""All checks of a data set, the worst findings first."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from ..find import Manifest, ManifestOptions, read_manifest
from .checks import CHECKS
from .finding import SEVERITIES, Finding
from .result import CheckResult, data_facts
from .scan import scan

Splitter = Callable[..., tuple[Sequence[int], Sequence[int]]]  # those of cxr.prepare.split


def check_data(
    data: Path | str,
    options: ManifestOptions | None = None,
    *,
    splitter: Splitter | None = None,
) -> list[Finding]:
    """What is wrong, or worth knowing, about the images at `data`; nothing is changed there.

    The findings of `inspect_data`, which see.
    """
    return list(inspect_data(data, options, splitter=splitter).findings)


def inspect_data(
    data: Path | str,
    options: ManifestOptions | None = None,
    *,
    splitter: Splitter | None = None,
) -> CheckResult:
    """As `check_data`, with what the data set is and how long it took.

    splitter: judge the data as if they were split so (`PatientSplitter()`, `RandomSplitter()`),
        not as their folders or table say.
    """
    start = time.monotonic()
    manifest = read_manifest(data, options)
    if splitter is not None:
        manifest = split_by(manifest, splitter)
    scanned = scan(manifest)
    findings = sorted((finding for check in CHECKS for finding in check(scanned)), key=_rank)
    facts = data_facts(manifest, data)
    return CheckResult(findings, replace(facts, seconds=time.monotonic() - start))


def split_by(manifest: Manifest, splitter: Splitter) -> Manifest:
    """The manifest with the split that training would make; what it keeps for testing stays so."""
    known = manifest.splits() or [None] * len(manifest)
    train, valid = splitter(
        manifest.paths(),
        labels=manifest.targets(),
        patients=manifest.patients(),
        splits=manifest.splits(),
    )
    used = {*train, *valid}
    test = [row for row, name in enumerate(known) if name == "test" and row not in used]
    return manifest.with_split(train=train, valid=valid, test=test)


def _rank(finding: Finding) -> tuple[int, bool]:
    """What concerns the whole set comes before what concerns single files."""
    return list(SEVERITIES).index(finding.severity), finding.path is not None
