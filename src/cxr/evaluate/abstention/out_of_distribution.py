"""Images unlike the training population, found by what the network computes anyway.

Three descriptions of an image, each with its distance from the usual (`FeatureDistribution`):
the pooled features (what it shows), the channels of a middle feature map (grain, sharpness,
contrast) and a thumbnail of 8 x 8 (where light and dark lie). On images of children, images upside
down are found by the first only, noise and cuts by the second, inverted ones by the third; the mean
of the three logarithms finds all (`benchmarks/unlike.py`). Nothing unusual is needed to fit it,
and no single image can be read from what is stored.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..._stats.groups import patient_groups
from ...bundle.abstention import FeatureDistribution, NotFitted, OutOfDistributionDetector
from .conformal import grouped_quantile

FALSE_ALARMS = 0.02
ENOUGH = 100  # images; from fewer the limit would be that of the most unusual one
FOLDS = 5
AXES = {"features": 64, "middle": 32, "layout": 24}
ROWS_AN_AXIS = 6
MAX_CELLS = 150_000  # of one part's axes: 0.6 MB
MAX_ROWS = 5_000  # images to learn from
Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.int64]


def fit_out_of_distribution(
    measures: Mapping[str, Floats],
    patients: Sequence[object],
    *,
    false_alarms: float = FALSE_ALARMS,
    seed: int = 0,
) -> OutOfDistributionDetector | NotFitted:
    """From validation images: (n, d) of each part by its name (parts of width 0 are left out).

    The limit is such that `false_alarms` of new images of this kind exceed it, at most: a quantile
    of distances of images whose patients had no part in what they are measured by (5 folds), each
    patient counting as one. Of more than 5,000 images that many, drawn by `seed`, are used.
    """
    groups = patient_groups(patients)
    rows = np.sort(np.random.default_rng(seed).permutation(len(groups))[:MAX_ROWS])
    groups = groups[rows]
    known = {name: np.asarray(x[rows], np.float32) for name, x in measures.items() if x.shape[1]}
    patients_needed = math.ceil(1 / false_alarms)
    for what, n, wanted in (
        ("images", len(groups), ENOUGH),
        ("patients", len(np.unique(groups)), patients_needed),
    ):
        if n < wanted:
            return NotFitted(
                f"validation has {n:,} {what}, too few to learn what is usual (at least {wanted} "
                "are needed)"
            )
    if not all(np.isfinite(x).all() for x in known.values()):
        return NotFitted("the network's features are not finite")
    held_out = {name: _out_of_fold(x, groups, AXES[name]) for name, x in known.items()}
    level = 1 - false_alarms
    parts = {}
    for name, x in known.items():
        middle = float(np.median(held_out[name]))
        spread = max(grouped_quantile(held_out[name], groups, level) - middle, 1e-3)
        parts[name] = replace(fit_distribution(x, AXES[name]), middle=middle, spread=spread)
    mean = np.mean([(held_out[name] - p.middle) / p.spread for name, p in parts.items()], axis=0)
    limit = max(grouped_quantile(mean, groups, level), 1e-3)
    return OutOfDistributionDetector(parts, limit, false_alarms, len(rows))


def fit_distribution(x: Floats, n_axes: int) -> FeatureDistribution:
    """Of (n, d) usual images: centre, scale and principal axes, fewer where there is little.

    One scale for all columns: where each has its own, a feature that hardly ever varies among few
    images sends the next usual one that shows it hundreds of times as far as all others.
    """
    from sklearn.decomposition import PCA

    n, d = x.shape
    centre = x.mean(0)
    scale = np.full(d, max(float((x - centre).std()), 1e-6))
    n_axes = max(1, min(n_axes, d - 1, n // ROWS_AN_AXIS, MAX_CELLS // d))
    z = (x - centre) / scale
    pca = PCA(n_axes, svd_solver="randomized", iterated_power=2, random_state=0).fit(z)
    outside = (z.var(0).sum() - pca.explained_variance_.sum()) / max(d - n_axes, 1)
    outside = max(float(outside), 1e-6)
    return FeatureDistribution(
        centre=centre.astype(np.float32),
        scale=(scale * math.sqrt(outside)).astype(np.float32),
        axes=pca.components_.astype(np.float32),
        shrink=np.clip(1 - outside / pca.explained_variance_, 0, 1).astype(np.float32),
    )


def _out_of_fold(x: Floats, groups: Ints, n_axes: int) -> Floats:
    """(n,) log distances of images by what was learnt without their patients."""
    distances = np.empty(len(x))
    for learn, held_out in _folds(groups):
        distances[held_out] = fit_distribution(x[learn], n_axes).log_distance(x[held_out])
    return distances


def _folds(groups: Ints) -> list[tuple[Ints, Ints]]:
    from sklearn.model_selection import GroupKFold

    return list(GroupKFold(FOLDS).split(groups, groups=groups))
