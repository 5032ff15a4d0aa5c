"""How many images and patients each class has, and whether that is enough to measure with."""

from __future__ import annotations

from math import sqrt

import numpy as np
import numpy.typing as npt

from ..finding import Finding
from ..scan import Scan

IMBALANCED = 10.0  # images of the largest class for each image of the smallest
HELD_OUT = 0.2  # the share of patients that `cxr train` validates on
SUPPOSED = 0.9  # a sensitivity; its interval says how much a measurement of it could tell
TOO_WIDE = 0.2


def check_labels(scan: Scan) -> list[Finding]:
    if not scan.label_columns:
        return []
    return [*_counts(scan), *_imbalance(scan), *_too_small(scan)]


def _counts(scan: Scan) -> list[Finding]:
    counts = {
        name: {"images": int(has.sum()), scan.counted: scan.n_groups(has)}
        for name, has in _classes(scan)
    }
    message = ", ".join(
        f"{name} {one['images']:,} images"
        + (f" of {one['patients']:,} patients" if "patients" in one else "")
        for name, one in counts.items()
    )
    return [Finding("classes", "info", message, evidence=counts)]


def _imbalance(scan: Scan) -> list[Finding]:
    if scan.manifest.multi_label:
        return []  # each finding stands against its own absence, and AUROC is what is reported
    images = {name: int(has.sum()) for name, has in _classes(scan)}
    largest, smallest = max(images, key=images.__getitem__), min(images, key=images.__getitem__)
    if images[largest] < IMBALANCED * images[smallest]:
        return []
    return [
        Finding(
            code="imbalance",
            severity="warning",
            message=f"to call every image {largest} would be right in "
            f"{images[largest] / len(scan.files):.0%}: accuracy says little here",
            evidence={"images": images},
            action="judge by AUROC, sensitivity and specificity; try --balance",
        )
    ]


def _too_small(scan: Scan) -> list[Finding]:
    """Classes with so little to measure on that a good model and a poor one look alike."""
    return [
        _small(scan, name, part, n)
        for name, has in _classes(scan)
        for part, n in _to_measure_on(scan, has).items()
        if np.diff(wilson(SUPPOSED, n)) > TOO_WIDE
    ]


def _to_measure_on(scan: Scan, has: npt.NDArray[np.bool_]) -> dict[str | None, int]:
    """Patients with the class in each named part, or in what would be held out (None)."""
    splits = np.array(scan.manifest.splits() or [None] * len(has), dtype=object)
    named = [part for part in ("valid", "test") if (splits == part).any()]
    if named:
        return {part: scan.n_groups(has & (splits == part)) for part in named}
    return {None: round(HELD_OUT * scan.n_groups(has))}


def _small(scan: Scan, name: str, part: str | None, n: int) -> Finding:
    low, high = wilson(SUPPOSED, n)
    held = f"{part} holds {n:,}" if part else f"holding out {HELD_OUT:.0%} leaves about {n:,}"
    return Finding(
        code="class-too-small",
        severity="warning",
        message=f"{held} {scan.counted} with {name} to measure on: a sensitivity seen as "
        f"{SUPPOSED:.0%} there could truly be {low:.0%} to {high:.0%}",
        group=name,
        evidence={"part": part, scan.counted: n, "low": low, "high": high},
        action="use --split patient, which holds out more"
        if part
        else "gather more, or pool all folds of KFoldPatientSplitter",
    )


def wilson(share: float, n: int, z: float = 1.96) -> tuple[float, float]:
    """95 % interval of a proportion seen to be `share` in n draws (Wilson, 1927); n may be 0."""
    if n == 0:
        return 0.0, 1.0
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return centre - half, centre + half


def _classes(scan: Scan) -> list[tuple[str, npt.NDArray[np.bool_]]]:
    return [(name, scan.flags[:, i] == 1) for i, name in enumerate(scan.manifest.classes)]
