"""Can width, height and file size tell the label? They hold no anatomy.

Classes that were gathered in different places or ways differ in such facts. A model can learn
them, score well on any split of the same data, and fail elsewhere (Zech et al., 2018).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .finding import Finding
from .scan import Scan

GIVES_AWAY = 0.8
FOLDS = 5
MIN_PATIENTS = 20  # of the smaller side; with fewer the folds say nothing
MAX_IMAGES = 20_000  # an AUROC is known well enough from these
RESAMPLES = 200
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def check_dimensions(scan: Scan) -> list[Finding]:
    """For each class against the rest: the AUROC of a random forest on the facts of the files.

    Scores are out of fold, 5 folds grouped by patient; the 95 % interval is the percentile
    interval of a bootstrap of patients. Of two classes only the second is looked at.
    """
    if not scan.label_columns:
        return []
    classes = list(enumerate(scan.manifest.classes))
    if not scan.manifest.multi_label and len(classes) == 2:
        classes = classes[1:]
    found = [_finding(scan, name, scan.flags[:, i]) for i, name in classes]
    return [finding for finding in found if finding is not None]


def _finding(scan: Scan, name: str, flags: npt.NDArray[np.float32]) -> Finding | None:
    readable = np.array([facts.error is None for facts in scan.files])
    rows = _sample(np.flatnonzero(readable & ~np.isnan(flags)), scan.groups)
    truth, groups = flags[rows] == 1, scan.groups[rows]
    if min(len(np.unique(groups[truth == side])) for side in (True, False)) < MIN_PATIENTS:
        return None
    scores = _out_of_fold(_facts(scan, rows), truth, groups)
    value, low, high = _auroc(scores, truth, groups)
    gives_away = value > GIVES_AWAY
    return Finding(
        code="file-facts",
        severity="warning" if gives_away else "info",
        message=f"width, height and file size alone tell {name} with AUROC {value:.2f} "
        f"({low:.2f} to {high:.2f}, n={len(rows):,})"
        + (
            ": the classes seem to have been made or stored in different ways" if gives_away else ""
        ),
        group=name,
        evidence={
            "auroc": {"value": value, "low": low, "high": high, "n": len(rows)},
            "patients": len(np.unique(groups)),
        },
        action="a model can score well without looking at the lungs: measure it on images from "
        "elsewhere before you trust it"
        if gives_away
        else "",
    )


def _sample(rows: Ints, groups: Ints) -> Ints:
    """At most MAX_IMAGES rows, whole patients, always the same ones."""
    order = np.random.default_rng(0).permutation(groups.max() + 1)[groups[rows]]
    return np.sort(rows[np.argsort(order, kind="stable")[:MAX_IMAGES]])


def _facts(scan: Scan, rows: Ints) -> Floats:
    """(n, 4): height, width, their ratio, bytes."""
    found = [scan.files[row] for row in rows]
    height = np.array([facts.height for facts in found], dtype=float)
    width = np.array([facts.width for facts in found], dtype=float)
    size = np.array([facts.bytes for facts in found], dtype=float)
    return np.column_stack([height, width, width / height, size])


def _out_of_fold(facts: Floats, truth: npt.NDArray[np.bool_], groups: Ints) -> Floats:
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.model_selection import PredefinedSplit, cross_val_predict

    forest = RandomForestClassifier(30, min_samples_leaf=10, random_state=0)
    fold = np.random.default_rng(0).permutation(groups.max() + 1) % FOLDS
    folds = PredefinedSplit(fold[groups])
    return cross_val_predict(forest, facts, truth, cv=folds, method="predict_proba")[:, 1]


def _auroc(
    scores: Floats, truth: npt.NDArray[np.bool_], groups: Ints
) -> tuple[float, float, float]:
    """The value and its interval."""
    from sklearn.metrics import roc_auc_score

    rng, n_groups = np.random.default_rng(0), groups.max() + 1
    present = np.unique(groups)
    resampled = []
    for _ in range(RESAMPLES):
        drawn = rng.choice(present, len(present))
        weights = np.bincount(drawn, minlength=n_groups)[groups]
        resampled.append(roc_auc_score(truth, scores, sample_weight=weights))
    low, high = np.quantile(resampled, [0.025, 0.975])
    return float(roc_auc_score(truth, scores)), float(low), float(high)
