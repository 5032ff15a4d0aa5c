"""Can the label be told without anatomy?

Classes that were gathered in different places or ways differ in how their images were made. A
model can learn that, score well on any split of the same data, and fail elsewhere (Zech et al.,
2018, doi:10.1371/journal.pmed.1002683; DeGrave et al., 2021, doi:10.1038/s42256-021-00338-7).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..._stats.auroc import auroc
from ..finding import Finding
from ..methods import cues
from ..methods.crossfit import Model, auroc_interval, auroc_text, out_of_fold
from ..scan import Scan

GIVES_AWAY = 0.8
MIN_PATIENTS = 20  # of the smaller side; with fewer the folds say nothing
MAX_CLASSES = 5
EXAMPLES = 6
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Cue:
    """What is shown to a small model in place of the image, and what it means if that is enough."""

    code: str
    what: str
    measure: Callable[[Scan, Ints], pd.DataFrame]
    model: Model
    meaning: str
    action: str
    anatomy: bool = False
    factors: bool = True
    images: int = 10_000  # an AUROC is known well enough from these


ELSEWHERE = "measure the model on images from elsewhere before you trust it"
CUES = (
    Cue(
        "shortcut-statistics",
        "global pixel statistics (brightness, contrast, sharpness: no anatomy)",
        cues.statistics,
        "forest",
        "the classes differ in how the images were exposed or processed",
        "train with augmentation of brightness and contrast (the default); " + ELSEWHERE,
    ),
    Cue(
        "shortcut-file",
        "facts of the file (dimensions, size, compression: no image at all)",
        cues.file_facts,
        "forest",
        "the classes were made or stored in different ways",
        "training sees every image in grey at one size, but not what resizing and compression "
        "did to it: gather or export both classes the same way; " + ELSEWHERE,
    ),
    Cue(
        "shortcut-borders",
        "the borders and corners",
        cues.borders,
        "forest",
        "collimation, markers or padding differ between the classes",
        "cut the borders off, or crop to the lungs; " + ELSEWHERE,
        anatomy=True,
    ),
    Cue(
        "shortcut-thumbnail",
        "an 8 x 8 thumbnail",
        cues.thumbnail,
        "linear",
        "position, size or overall density differ between the classes",
        "a finer model must do clearly better than this to have learnt more; " + ELSEWHERE,
        anatomy=True,
        factors=False,
    ),
    Cue(
        "shortcut-surroundings",
        "the image with its centre masked, so without lungs and heart",
        cues.surroundings,
        "linear",
        "what lies around the lungs differs between the classes",
        "look at heat maps (`cxr predict --explain`) for attention outside the lungs; " + ELSEWHERE,
        anatomy=True,
        factors=False,
        images=2_000,
    ),
)


def check_shortcuts(scan: Scan) -> list[Finding]:
    """For each class against the rest and each cue: the AUROC of a small model.

    Scores are out of fold, 5 folds grouped by patient; the 95 % interval is the percentile
    interval of a bootstrap of patients. Of two classes only the second is looked at, of many the
    MAX_CLASSES largest. Cues without any anatomy come first, the most telling at the top.
    """
    classes = classes_to_tell(scan)
    pairs = [(cue, finding) for cue in CUES for finding in _findings(scan, cue, classes)]
    pairs.sort(key=lambda pair: (pair[0].anatomy, -pair[1].evidence["auroc"]["value"]))
    return [finding for _, finding in pairs]


def classes_to_tell(scan: Scan) -> list[int]:
    """Positions of the classes to look at: see `check_shortcuts`."""
    if not scan.label_columns:
        return []
    n = len(scan.manifest.classes)
    if not scan.manifest.multi_label and n <= 2:
        return [1] if n == 2 else []
    size = np.minimum((scan.flags == 1).sum(0), (scan.flags == 0).sum(0))
    return sorted(np.argsort(-size, kind="stable")[:MAX_CLASSES].tolist())


def _findings(scan: Scan, cue: Cue, classes: list[int]) -> list[Finding]:
    rows_of = {
        index: rows
        for index in classes
        if (rows := class_rows(scan, index, cue.images)) is not None
    }
    if not rows_of:
        return []
    all_rows = np.unique(np.concatenate(list(rows_of.values())))
    table = cue.measure(scan, all_rows)
    return [
        _finding(scan, cue, index, rows, table.iloc[np.searchsorted(all_rows, rows)])
        for index, rows in rows_of.items()
    ]


def class_rows(scan: Scan, index: int, most: int) -> Ints | None:
    """Readable images whose class is known: whole patients, always the same ones."""
    rows = np.flatnonzero(scan.readable & ~np.isnan(scan.flags[:, index]))
    order = np.random.default_rng(0).permutation(scan.groups.max() + 1)[scan.groups[rows]]
    rows = np.sort(rows[np.argsort(order, kind="stable")[:most]])
    truth = scan.flags[rows, index] == 1
    enough = min(scan.n_groups(rows[truth]), scan.n_groups(rows[~truth])) >= MIN_PATIENTS
    return rows if enough else None


def _finding(scan: Scan, cue: Cue, index: int, rows: Ints, table: pd.DataFrame) -> Finding:
    truth, groups = scan.flags[rows, index] == 1, scan.groups[rows]
    name = scan.manifest.classes[index]
    scores = out_of_fold(table.to_numpy(float), truth, groups, cue.model)
    measured = auroc_interval(scores, truth, groups)
    gives_away = measured["value"] > GIVES_AWAY
    evidence: dict[str, Any] = {"auroc": measured, "patients": scan.n_groups(rows)}
    if cue.factors:
        evidence["factors"] = _factors(table, truth)
    if gives_away:
        evidence["examples"] = _examples(scan, rows, scores, truth, name)
    return Finding(
        code=cue.code,
        severity="warning" if gives_away else "info",
        message=_message(cue, name, measured, evidence.get("factors"), gives_away),
        group=name,
        evidence=evidence,
        action=cue.action if gives_away else "",
    )


def _message(
    cue: Cue,
    name: str,
    measured: dict[str, Any],
    factors: dict[str, float] | None,
    gives_away: bool,
) -> str:
    if not gives_away:
        return f"{name} can hardly be told from {cue.what}: {auroc_text(measured)}"
    by = f", by {next(iter(factors))} most of all" if factors else ""
    return (
        f"{name} can be told from {cue.what} alone{by}, with {auroc_text(measured)}: {cue.meaning}"
    )


def _factors(table: pd.DataFrame, truth: Bools) -> dict[str, float]:
    """The three columns that tell most by themselves, each with its AUROC (0.5 to 1)."""
    each = {
        str(name): max(value, 1 - value)
        for name in table
        if np.isfinite(value := auroc(table[name].to_numpy(float), truth))
    }
    best = sorted(each, key=each.__getitem__, reverse=True)[:3]
    return {name: round(each[name], 3) for name in best}


def _examples(
    scan: Scan, rows: Ints, scores: npt.NDArray[Any], truth: Bools, name: str
) -> list[dict[str, str]]:
    """Those with the highest and those with the lowest scores, one a patient."""
    order = np.argsort(scores, kind="stable")
    shown = []
    for picked, what in ((order[::-1], f"most like {name}"), (order, f"least like {name}")):
        patients: set[int] = set()
        for i in picked:
            if len(patients) == EXAMPLES // 2:
                break
            if scan.groups[rows[i]] not in patients:
                patients.add(int(scan.groups[rows[i]]))
                label = name if truth[i] else f"not {name}"
                caption = f"{what}, is {label}"
                shown.append({"path": scan.names[rows[i]], "caption": caption})
    return shown
