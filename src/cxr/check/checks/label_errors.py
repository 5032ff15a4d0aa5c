"""Which labels to look at first: images that look like another class than the one they are given.

Confident learning (Northcutt, Jiang and Chuang, 2021, doi:10.1613/jair.1.12125): a model that never
saw an image's patient gives it a probability of each class; a label is a likely error when that of
another class is as high as is usual for that class's own images. They are ranked by the chance of
the label that they have.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..._stats.auroc import auroc
from ..finding import Finding
from ..methods.crossfit import chances_out_of_fold
from ..scan import Scan

MIN_PATIENTS = 10  # of a class; of fewer nothing is learnt
TELLS = 0.75  # AUROC of every class; a model that cannot tell them has no say in their labels
RANKED = 0.05  # share of the set that the ranking holds, or more where more is doubtful
EXAMPLES = 12
Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class LabelSuspect:
    """score: the chance of the label that the image has; the lower, the more doubtful."""

    row: int
    given: str
    looks_like: str
    score: float
    doubtful: bool


def check_mislabelled(scan: Scan) -> list[Finding]:
    """One finding with the ranking; for several findings an image, one over all of them.

    None for classes of fewer than MIN_PATIENTS patients, or that the model cannot tell apart.
    """
    suspects = sorted(_suspects(scan), key=lambda suspect: suspect.score)
    if not suspects:
        return []
    n = sum(suspect.doubtful for suspect in suspects)
    listed = suspects[: max(n, round(RANKED * len(suspects)))]
    return [
        Finding(
            code="doubtful-labels",
            severity="warning" if n else "info",
            message=f"{n:,} of {len(suspects):,} labels are likely errors: to a model that never "
            "saw these patients the images look like another class. Some are hard cases, some "
            "mistakes",
            evidence={
                "doubtful": n,
                "labels": len(suspects),
                "ranking": [_ranked(scan, suspect) for suspect in listed],
                "examples": [_image(scan, suspect) for suspect in listed[:EXAMPLES]],
            },
            action="have a radiologist look at them from the top of the ranking; correct the table "
            "or move the file, and check again",
        )
    ]


def _ranked(scan: Scan, suspect: LabelSuspect) -> dict[str, Any]:
    return {
        "path": scan.names[suspect.row],
        "label": suspect.given,
        "looks_like": suspect.looks_like,
        "score": round(suspect.score, 4),
        "doubtful": suspect.doubtful,
    }


def _image(scan: Scan, suspect: LabelSuspect) -> dict[str, str]:
    caption = f"labelled {suspect.given}, looks like {suspect.looks_like}"
    return {"path": scan.names[suspect.row], "caption": caption}


def _suspects(scan: Scan) -> Iterator[LabelSuspect]:
    if not scan.label_columns:
        return
    names = list(scan.manifest.classes)
    if not scan.manifest.multi_label:
        yield from _among(scan, scan.flags.argmax(1), np.ones(len(scan.names), bool), names)
        return
    for column, name in enumerate(names):
        flags = scan.flags[:, column]
        known = np.isfinite(flags)
        yield from _among(scan, (flags == 1).astype(int), known, [f"no {name}", name])


def _among(
    scan: Scan, given: Ints, known: npt.NDArray[np.bool_], names: list[str]
) -> Iterator[LabelSuspect]:
    rows = np.flatnonzero(scan.readable & known)
    labels, groups = given[rows], scan.groups[rows]
    sizes = [scan.n_groups(rows[labels == label]) for label in range(len(names))]
    if len(names) < 2 or min(sizes) < MIN_PATIENTS:
        return
    chances = chances_out_of_fold(scan.features[rows], labels, groups)
    aurocs = [auroc(chances[:, label], labels == label) for label in range(len(names))]
    if min(aurocs) < TELLS:
        return
    other, doubtful = confidently_other(chances, labels)
    for i, row in enumerate(rows):
        score = float(chances[i, labels[i]])
        yield LabelSuspect(int(row), names[labels[i]], names[other[i]], score, bool(doubtful[i]))


def confidently_other(chances: Floats, labels: Ints) -> tuple[Ints, npt.NDArray[np.bool_]]:
    """(n,) the likeliest class besides the given one, and whether it is confidently so.

    `chances` (n, k) out of sample. A class's threshold is the mean chance of its own images.
    """
    n, k = chances.shape
    thresholds = np.array([chances[labels == label, label].mean() for label in range(k)])
    others = chances.copy()
    others[np.arange(n), labels] = -1
    other = others.argmax(1)
    highest = chances[np.arange(n), other]
    confident = highest >= thresholds[other]
    return other, confident & (highest > chances[np.arange(n), labels])
