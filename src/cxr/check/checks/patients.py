"""Whose images these are, and whether a patient is where only one side should be."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import numpy.typing as npt

from ..finding import Finding
from ..scan import Scan
from .labels import HELD_OUT

WORTH_SAYING = 0.01
MIN_IMAGES = 20  # of fewer, nobody splits off a fifth
GIVE_PATIENTS = "give --patient-column, or --patient-pattern for the file names"


def check_patients(scan: Scan) -> list[Finding]:
    """No finding names a patient: only how many there are."""
    return [*_identity(scan), *_across_splits(scan), *_random_split(scan), *_across_labels(scan)]


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
    findings = [Finding("patients", "info", scan.manifest.identity, evidence=evidence)]
    if unknown:
        findings.append(
            Finding(
                code="without-patient",
                severity="info",
                message=f"{unknown:,} of {n:,} images have no patient: each is treated as a "
                "patient of its own",
                evidence=evidence,
                action=GIVE_PATIENTS,
            )
        )
    return findings


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
        leaking = other if one == "train" or other != "train" else one
        n = int((table["split"] == leaking).sum())
        findings.append(
            Finding(
                code="patients-across-splits",
                severity="error",
                message=f"{len(shared):,} patients are in both {one} and {other}: "
                f"{images[leaking]:,} of {n:,} {leaking} images ({images[leaking] / n:.1%}) are of "
                "patients on the other side, too, so figures from them would be too good",
                group=f"{one}, {other}",
                evidence={
                    "patients": len(shared),
                    "images": images,
                    "leaked": {"part": leaking, "images": images[leaking], "n": n},
                    "leaked_share": images[leaking] / n,
                },
                action="split again with --split patient",
            )
        )
    return findings


def _random_split(scan: Scan) -> list[Finding]:
    """What the usual split by images would leak."""
    known = np.array([patient is not None for patient in scan.manifest.patients()], dtype=bool)
    _, of_row, sizes = np.unique(scan.groups, return_inverse=True, return_counts=True)
    share = expected_leak(sizes[of_row][known], len(known))
    if share < WORTH_SAYING or len(known) < MIN_IMAGES:
        return []
    return [
        Finding(
            code="random-split-leaks",
            severity="warning",
            message=f"in a random split of images {share:.0%} of the validation images would be of "
            f"patients that are trained on (expected at {HELD_OUT:.0%} held out)",
            evidence={"leaked_share": share, "held_out": HELD_OUT},
            action="keep the default, --split patient; --split random only to compare with others",
        )
    ]


def expected_leak(sizes: npt.NDArray[np.int64], n: int) -> float:
    """The share of validation images, drawn at random, with a patient among those trained on.

    sizes: how many images the patient of each image has. An image in validation leaks unless the
    others of its patient were all drawn too (without replacement).
    """
    held = round(HELD_OUT * n)
    clean = np.ones(len(sizes))
    for other in range(1, int(sizes.max(initial=1))):
        drawn = max(held - other, 0) / max(n - other, 1)
        clean[sizes > other] *= drawn
    return float((1 - clean).sum() / n) if n else 0.0


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
