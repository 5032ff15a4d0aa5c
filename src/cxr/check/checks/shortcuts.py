"""Can the label be told without anatomy?

Classes that were gathered in different places or ways differ in how their images were made. A
model can learn that, score well on any split of the same data, and fail elsewhere (Zech et al.,
2018, doi:10.1371/journal.pmed.1002683; DeGrave et al., 2021, doi:10.1038/s42256-021-00338-7).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..._io.text import counted
from ..._stats.auroc import auroc
from ..finding import Finding
from ..methods import cues
from ..methods.crossfit import Model, auroc_interval, auroc_text, out_of_fold
from ..methods.mean_images import mean_images
from ..methods.sides import (
    MIN_PATIENTS,
    class_rows,
    classes_to_tell,
    known_rows,
    pair_of,
    patients_of,
)
from ..scan import Scan

GIVES_AWAY = 0.8
CHANCE = 0.5
STILL_LUNG = "What is left after the cut is lung, so there it may be the disease that tells"
FRAMING = "shortcut-framing"
EXAMPLES = 6
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Cue:
    """What is shown to a small model in place of the image, and what it means if that is enough.

    sees: the start of the sentence "... tells A from B". anatomy: whether lungs may be part of it.
    cut: whether the cut to the lungs changes it.
    """

    code: str
    sees: str
    measure: Callable[[Scan, Ints], pd.DataFrame]
    model: Model
    meaning: str
    action: str
    anatomy: bool = False
    factors: bool = True
    cut: bool = True
    images: int = 10_000  # an AUROC is known well enough from these


ELSEWHERE = "measure the model on images from elsewhere before you trust it"
BY_DEFAULT = "train on the lungs (--frame lungs, the default)"
CUES = (
    Cue(
        "shortcut-framing",
        "How the images are framed (where the lungs lie and how large they are) tells",
        cues.framing,
        "linear",
        "a model of whole images can learn how an image was taken instead of what it shows",
        f"{BY_DEFAULT}; gather images of both classes that are framed alike; {ELSEWHERE}",
        factors=False,
    ),
    Cue(
        "shortcut-statistics",
        "Brightness, contrast and sharpness of the image tell",
        cues.statistics,
        "forest",
        "the classes differ in how the images were exposed or processed",
        f"train with augmentation of brightness and contrast (the default); {ELSEWHERE}",
        anatomy=True,
    ),
    Cue(
        "shortcut-file",
        "The file (its dimensions, size and compression, no image at all) tells",
        cues.file_facts,
        "forest",
        "the classes were made or stored in different ways",
        "training sees every image in grey at one size, but not what resizing and compression "
        f"did to it: gather or export both classes the same way; {ELSEWHERE}",
        cut=False,
    ),
    Cue(
        "shortcut-borders",
        "What the borders and corners of the image show tells",
        cues.borders,
        "forest",
        "collimation, markers or padding differ between the classes",
        f"{BY_DEFAULT}, which cuts the borders off; {ELSEWHERE}",
        anatomy=True,
    ),
    Cue(
        "shortcut-thumbnail",
        "A thumbnail of 8 x 8 pixels tells",
        cues.thumbnail,
        "linear",
        "position, size or overall density differ between the classes",
        f"a finer model must do clearly better than this to have learnt more; {ELSEWHERE}",
        anatomy=True,
        factors=False,
    ),
    Cue(
        "shortcut-surroundings",
        "The image with its centre masked tells",
        cues.surroundings,
        "linear",
        "what lies around the lungs differs between the classes",
        f"{BY_DEFAULT}; look at heat maps (`cxr predict --explain`) for attention outside the "
        f"lungs; {ELSEWHERE}",
        anatomy=True,
        factors=False,
        images=2_000,
    ),
)


def check_framing(scan: Scan) -> list[Finding]:
    """`check_shortcuts` of the one cue that needs no more than the lung frames."""
    return check_shortcuts(scan, [cue for cue in CUES if cue.code == FRAMING])


def check_shortcuts(scan: Scan, cues: Sequence[Cue] | None = None) -> list[Finding]:
    """For each class against the rest and each cue: the AUROC of a small model, on the whole
    images and on what the lung frame leaves of them.

    Scores are out of fold, 5 folds grouped by patient; the 95 % interval is the percentile
    interval of a bootstrap of patients. Of two classes only the second is looked at, of many the
    MAX_CLASSES largest. Cues without any anatomy come first, the most telling at the top. Where
    there are too few patients, or too few lungs are found, a finding says so.
    """
    classes = classes_to_tell(scan)
    judged = {index: rows for index in classes if (rows := class_rows(scan, index)) is not None}
    pairs = [
        (cue, finding)
        for cue in (CUES if cues is None else cues)
        for finding in _findings(scan, cue, list(judged))
    ]
    pairs.sort(key=lambda pair: (pair[0].anatomy, -_strongest(pair[1])))
    return [
        *(finding for _, finding in pairs),
        *(_not_judged(scan, index) for index in classes if index not in judged),
    ]


def _findings(scan: Scan, cue: Cue, classes: list[int]) -> Iterator[Finding]:
    rows_of = {
        index: rows
        for index in classes
        if (rows := class_rows(scan, index, cue.images)) is not None
    }
    if not rows_of:
        return
    all_rows = np.unique(np.concatenate(list(rows_of.values())))
    tables = [cue.measure(view, all_rows) for view in _views(scan, cue)]
    for index, rows in rows_of.items():
        some = np.searchsorted(all_rows, rows)
        if cue.code == FRAMING and not _lungs_found(scan, index, rows):
            yield _no_lungs(scan, index, rows)
        else:
            yield _finding(scan, cue, index, rows, [table.iloc[some] for table in tables])


def _views(scan: Scan, cue: Cue) -> list[Scan]:
    return [scan, scan.after_cut] if cue.cut and len(scan.cut) else [scan]


def _lungs_found(scan: Scan, index: int, rows: Ints) -> bool:
    found = np.array([scan.frames[row].found for row in rows], dtype=bool)
    return min(patients_of(scan, index, rows[found])) >= MIN_PATIENTS


def _finding(scan: Scan, cue: Cue, index: int, rows: Ints, tables: list[pd.DataFrame]) -> Finding:
    """`tables` of the whole images and, where there is one, of what the cut leaves."""
    truth, groups = scan.flags[rows, index] == 1, scan.groups[rows]
    scores = [out_of_fold(one.to_numpy(float), truth, groups, cue.model) for one in tables]
    measured = [auroc_interval(one, truth, groups) for one in scores]
    evidence: dict[str, Any] = {"auroc": measured[0], "patients": scan.n_groups(rows)}
    if len(measured) > 1:
        evidence["auroc_after_cut"] = measured[1]
    if cue.factors:
        evidence["factors"] = _factors(tables[0], truth)
    gives_away = measured[0]["value"] > GIVES_AWAY
    if gives_away:
        name = scan.manifest.classes[index]
        evidence["examples"] = _examples(scan, rows, scores[0], truth, name)
    return Finding(
        code=cue.code,
        severity="warning" if gives_away else "info",
        message=_message(cue, pair_of(scan, index), measured, gives_away),
        group=scan.manifest.classes[index],
        evidence=evidence,
        action=cue.action if gives_away else "",
        figures=mean_images(scan, index, rows) if cue.code == FRAMING and len(scan.squares) else (),
    )


def _strongest(finding: Finding) -> float:
    return float(finding.evidence["auroc"]["value"]) if "auroc" in finding.evidence else 0.0


def _message(cue: Cue, pair: str, measured: list[dict[str, Any]], gives_away: bool) -> str:
    """No more is said than the interval bears."""
    whole, *after = measured
    figures = auroc_text(whole)
    if after:
        figures += "; after the cut to the lungs {value:.3f} ({low:.3f} to {high:.3f})".format(
            **after[0]
        )
    if gives_away:
        lungs = f". {STILL_LUNG}" if after and cue.code != FRAMING else ""
        return f"{cue.sees} {pair} with {figures}: {cue.meaning}{lungs}"
    if whole["low"] <= CHANCE:
        return f"It is not shown that {cue.sees[0].lower()}{cue.sees[1:]} {pair}: {figures}"
    return f"{cue.sees} {pair} in part: {figures}"


def _not_judged(scan: Scan, index: int) -> Finding:
    rows = known_rows(scan, index)
    n = min(patients_of(scan, index, rows))
    return Finding(
        code="shortcuts-not-judged",
        severity="info",
        message=f"shortcuts that tell {pair_of(scan, index)} were not looked for: the smaller side "
        f"has {counted(n, scan.counted.removesuffix('s'))}, and {MIN_PATIENTS} are needed",
        group=scan.manifest.classes[index],
        evidence={scan.counted: n, "needed": MIN_PATIENTS},
    )


def _no_lungs(scan: Scan, index: int, rows: Ints) -> Finding:
    n = sum(scan.frames[row].found for row in rows)
    return Finding(
        code="framing-not-judged",
        severity="info",
        message=f"whether the framing tells {pair_of(scan, index)} was not judged: upright lungs "
        f"were found in {n:,} of {counted(len(rows), 'image')}, and those of {MIN_PATIENTS} "
        f"{scan.counted} on each side are needed",
        group=scan.manifest.classes[index],
        evidence={"found": n, "images": len(rows), "needed": MIN_PATIENTS},
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
