"""Whose images these are, and whether a patient is where only one side should be."""

from __future__ import annotations

from itertools import combinations

from .finding import Finding
from .scan import Scan

GIVE_PATIENTS = "give --patient-column, or --patient-pattern for the file names"


def check_patients(scan: Scan) -> list[Finding]:
    """No finding names a patient: only how many there are."""
    return [*_identity(scan), *_across_splits(scan), *_across_labels(scan)]


def _identity(scan: Scan) -> list[Finding]:
    patients = scan.manifest.patients()
    n, unknown = len(patients), patients.count(None)
    evidence = {"images": n, "patients": len(set(patients) - {None}), "without_patient": unknown}
    if unknown == n:
        return [
            Finding(
                "no-patients",
                "warning",
                scan.manifest.identity,
                None,
                None,
                evidence,
                GIVE_PATIENTS,
            )
        ]
    found = [Finding("patients", "info", scan.manifest.identity, evidence=evidence)]
    if unknown:
        found.append(
            Finding(
                code="without-patient",
                severity="info",
                message=f"{unknown:,} of {n:,} images have no patient: each is treated as a "
                "patient of its own",
                evidence=evidence,
                action=GIVE_PATIENTS,
            )
        )
    return found


def _across_splits(scan: Scan) -> list[Finding]:
    """One error for each two parts of the data set that share patients."""
    table = scan.manifest.table
    if "split" not in table:
        return []
    parts = {str(name): set(rows["patient"].dropna()) for name, rows in table.groupby("split")}
    findings = []
    for one, other in combinations(parts, 2):
        shared = parts[one] & parts[other]
        if not shared:
            continue
        images = {name: _images_of(scan, name, shared) for name in (one, other)}
        findings.append(
            Finding(
                code="patients-across-splits",
                severity="error",
                message=f"{len(shared):,} patients are in both {one} and {other} "
                f"({images[one]:,} and {images[other]:,} images): figures from {other} would be "
                "too good",
                group=f"{one}, {other}",
                evidence={"patients": len(shared), "images": images},
                action="split again with --split patient",
            )
        )
    return findings


def _images_of(scan: Scan, split: str, patients: set[str]) -> int:
    table = scan.manifest.table
    return int(((table["split"] == split) & table["patient"].isin(patients)).sum())


def _across_labels(scan: Scan) -> list[Finding]:
    """Only where an image has one label: of several findings each may come and go."""
    if scan.manifest.multi_label or not scan.label_columns:
        return []
    labels = scan.manifest.table.groupby("patient")["label"].nunique()
    torn = labels.index[labels > 1]
    if not len(torn):
        return []
    n_images = int(scan.manifest.table["patient"].isin(torn).sum())
    return [
        Finding(
            code="patients-across-labels",
            severity="warning",
            message=f"{len(torn):,} patients ({n_images:,} images) have images of several classes",
            evidence={"patients": len(torn), "images": n_images},
            action="right where a patient fell ill or recovered; wrong where labels or patient "
            "numbers are mixed up: look at some of them",
        )
    ]
