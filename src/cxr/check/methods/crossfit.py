"""How well do some numbers tell a class, on patients that they were not fitted to?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..._stats.auroc import auroc, by_falling_score, weighted_auroc
from ..._stats.bootstrap import patient_weights

FOLDS = 5
RESAMPLES = 200
TREES, LEAF, TREE_ROWS = 40, 5, 2_000
FIT_ROWS = 8_000
Floats = npt.NDArray[np.floating[Any]]
Scores = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
Model = Literal["forest", "linear"]


def folds_of(groups: Ints, n_folds: int = FOLDS) -> Ints:
    """(n,) the fold of each row: all rows of a group in one, dealt out at random (seed 0)."""
    names, of_row = np.unique(groups, return_inverse=True)
    return (np.random.default_rng(0).permutation(len(names)) % n_folds)[of_row]


def out_of_fold(x: Floats, truth: Bools, groups: Ints, model: Model = "forest") -> Scores:
    """(n,) scores of being `truth`: see `chances_out_of_fold`."""
    return chances_out_of_fold(x, truth.astype(np.int64), groups, model)[:, 1]


def chances_out_of_fold(x: Floats, labels: Ints, groups: Ints, model: Model = "linear") -> Scores:
    """(n, k) of each label 0 to k - 1, from a model that saw no row of the same group.

    "forest" for a few facts of different kinds, "linear" (logistic regression on standardised
    columns) for many alike, such as pixels or features. Each learns from FIT_ROWS rows at most. A
    fold in whose complement a label is missing gives every row the shares of the labels.
    """
    k = int(labels.max()) + 1
    chances = np.tile(np.bincount(labels, minlength=k) / len(labels), (len(labels), 1))
    fold = folds_of(groups)
    for one in range(FOLDS):
        held_out = np.flatnonzero(fold == one)
        learn = np.random.default_rng(one).permutation(np.flatnonzero(fold != one))[:FIT_ROWS]
        if len(held_out) and len(np.unique(labels[learn])) == k > 1:
            fitted = make_model(model, len(learn)).fit(x[learn], labels[learn])
            chances[held_out] = fitted.predict_proba(x[held_out])
    return chances


def make_model(model: Model, n: int) -> Any:
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if model == "forest":
        return RandomForestClassifier(
            TREES,
            min_samples_leaf=LEAF,
            max_samples=min(TREE_ROWS, n),
            random_state=0,
            n_jobs=-1,
        )
    return make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=200, tol=1e-3))


def auroc_interval(scores: Scores, truth: Bools, groups: Ints) -> dict[str, Any]:
    """AUROC with the 95 % percentile interval of a bootstrap of groups (patients).

    Returns {"value", "low", "high", "n"}; `truth` must hold both classes.
    """
    patients = np.unique(groups, return_inverse=True)[1]
    sides = by_falling_score(scores, truth)
    drawn = [
        weighted_auroc(scores, *sides, weights)
        for weights in patient_weights(patients, RESAMPLES, seed=0)
    ]
    low, high = np.nanquantile(np.concatenate(drawn), [0.025, 0.975])
    return {"value": auroc(scores, truth), "low": float(low), "high": float(high), "n": len(truth)}


def auroc_text(auroc: Mapping[str, Any]) -> str:
    """`AUROC 0.893 (0.871 to 0.912, n=1,234)`, of what `auroc_interval` gives."""
    value, low, high = (f"{auroc[name]:.3f}" for name in ("value", "low", "high"))
    return f"AUROC {value} ({low} to {high}, n={auroc['n']:,})"
