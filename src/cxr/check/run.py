"""All checks of a data set, the worst findings first."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from .._io import progress_disabled
from ..errors import DataError, UsageError
from ..find import Manifest, ManifestOptions, read_manifest, require_trainable
from ..find.quarantine import apply_quarantine
from .checks import CHECKS, QUICK
from .finding import NOT_TRAINABLE, SEVERITIES, Finding
from .record import quarantine_rows
from .result import CheckResult, data_facts
from .scan import Scan, scan

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
    trainable: Callable[[Manifest], object] = require_trainable,
) -> CheckResult:
    """As `check_data`, with what the data set is and how long it took.

    splitter: judge the data as if they were split so (`PatientSplitter()`, `RandomSplitter()`),
        not as their folders or table say.
    trainable: raises DataError or UsageError for images that training would refuse, which is then
        the first error; by default as far as the manifest shows it.
    """
    start = time.monotonic()
    manifest, refused = read_manifest(data, options), []
    try:
        if splitter is not None:
            manifest = split_by(manifest, splitter)
    except (DataError, UsageError) as error:
        refused = [Finding(NOT_TRAINABLE, "error", str(error))]
    scanned = scan(manifest)
    findings = sorted((finding for check in CHECKS for finding in check(scanned)), key=_rank)
    findings = [*(_refused(manifest, findings, trainable) or refused), *findings]
    facts = data_facts(manifest, data)
    return CheckResult(findings, replace(facts, seconds=time.monotonic() - start))


def quick_check(scanned: Scan) -> CheckResult:
    """The checks that need no more than what training has decoded anyway: unreadable files, equal
    images, patients and classes, and the framing.

    scanned: `files` with the error or a digest of each, `frames` and `cut`; `squares` may be empty.
    """
    findings = sorted((one for check in QUICK for one in check(scanned)), key=_rank)
    return CheckResult(findings, data_facts(scanned.manifest), quick=True)


def _refused(
    manifest: Manifest, findings: Sequence[Finding], trainable: Callable[[Manifest], object]
) -> list[Finding]:
    """An error where training would refuse the images without those that have one."""
    try:
        with progress_disabled():
            trainable(apply_quarantine(manifest, quarantine_rows(findings, manifest.root)).manifest)
    except (DataError, UsageError) as error:
        return [Finding(NOT_TRAINABLE, "error", str(error))]
    return []


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
