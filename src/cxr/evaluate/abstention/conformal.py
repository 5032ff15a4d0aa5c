"""When a model should abstain: split-conformal prediction, per class, by patients.

The set of classes that an image may belong to holds its true class for 1 - alpha of the images of
that class, whatever the model is worth (Vovk, Nouretdinov & Gammerman, Mondrian confidence
machine, 2003; Angelopoulos & Bates, arXiv:2107.07511, section 4.2). Where the set is not exactly
one class, the model had better abstain.

The promise is for a random image of that class of a new patient from the same population. Images
of one patient are not exchangeable with those of others, patients are: each image counts 1 / (how
many images of that class its patient has), and the unknown new patient as one patient with the
largest scores of all (hierarchical conformal prediction, Lee, Barber & Willett, arXiv:2306.06342).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..._stats.groups import patient_groups
from ...bundle.abstention import ConformalRule, NotFitted, nonconformity

ALPHA = 0.05
Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.int64]


def fit_conformal(
    logits: Floats,
    targets: npt.NDArray[Any],
    patients: Sequence[object],
    classes: Sequence[str],
    *,
    multi_label: bool = False,
    alpha: float = ALPHA,
) -> ConformalRule | NotFitted:
    """From validation images: `logits` (n, k) as trained, before any calibration.

    `targets` (n,) class indices, or for several labels (n, k) of 1, 0 and NaN for not known;
    `patients` (n,), None where unknown, which counts as a patient of its own. A temperature does
    not change the sets of two classes; one parameter fitted on the same images does little to
    those of more. With too few patients of a class (2 / alpha are needed) no rule is fitted; of
    several labels, those that have enough have one.
    """
    groups = patient_groups(patients)
    scores = nonconformity(logits, multi_label)
    if not multi_label and len(classes) < 2:
        return NotFitted("there is only one class")
    scores = scores.reshape(len(groups), len(classes) * (1 + multi_label))
    belongs = _belongs(targets, len(classes), multi_label).reshape(scores.shape)
    limits = np.full(scores.shape[1], np.nan)
    counts = np.zeros(scores.shape[1], np.int64)
    for column in range(scores.shape[1]):
        rows = np.flatnonzero(belongs[:, column])
        counts[column] = len(np.unique(groups[rows]))
        if counts[column] >= needed(alpha):
            limits[column] = grouped_quantile(scores[rows, column], groups[rows], 1 - alpha)
    shape = (len(classes), 2) if multi_label else (len(classes),)
    missing = np.isnan(limits)
    if missing.all() if multi_label else missing.any():
        return NotFitted(_too_few(counts.reshape(shape), classes, alpha))
    return ConformalRule(alpha, limits.reshape(shape), counts.reshape(shape))


def needed(alpha: float) -> int:
    """Patients of a class. 1 / alpha - 1 would do in theory, the largest score as the limit."""
    return math.ceil(2 / alpha)


def grouped_quantile(scores: Floats, groups: Ints, level: float) -> float:
    """The least score that is at least `level` of all, each group counting as one, and one more
    group whose scores are infinite. Infinite when there are too few groups for `level`."""
    _, inverse, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    order = np.argsort(scores, kind="stable")
    weight = 1 / (sizes[inverse[order]] * (len(sizes) + 1))
    reached = np.flatnonzero(np.cumsum(weight) >= level - 1e-12)
    return float(scores[order[reached[0]]]) if len(reached) else math.inf


def _belongs(targets: npt.NDArray[Any], k: int, multi_label: bool) -> npt.NDArray[np.bool_]:
    """(n, k), or (n, k, 2): without the label, with it."""
    if multi_label:
        return np.stack([targets == 0, targets == 1], axis=2)
    return np.asarray(targets)[:, None] == np.arange(k)


def _too_few(counts: Ints, classes: Sequence[str], alpha: float) -> str:
    fewest = np.unravel_index(counts.argmin(), counts.shape)
    name = f"{'not ' if counts.ndim == 2 and not fewest[1] else ''}{classes[int(fewest[0])]}"
    return (
        f"validation has {counts.min():,} patients of {name}, too few to say when the model should "
        f"abstain (at least {needed(alpha)} are needed)"
    )
