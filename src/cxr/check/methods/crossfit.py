"""How well do some numbers tell a class, on patients that they were not fitted to?"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

FOLDS = 5
RESAMPLES = 200
TREES, LEAF, TREE_ROWS = 40, 5, 2_000
FIT_ROWS = 8_000
Floats = npt.NDArray[np.floating[Any]]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
Model = Literal["forest", "linear"]


def folds_of(groups: Ints, n_folds: int = FOLDS) -> Ints:
    """(n,) the fold of each row: all rows of a group in one, dealt out at random (seed 0)."""
    names, of_row = np.unique(groups, return_inverse=True)
    return (np.random.default_rng(0).permutation(len(names)) % n_folds)[of_row]


def out_of_fold(x: Floats, truth: Bools, groups: Ints, model: Model = "forest") -> Floats:
    """(n,) scores of being `truth`: see `chances_out_of_fold`."""
    return chances_out_of_fold(x, truth.astype(np.int64), groups, model)[:, 1]


def chances_out_of_fold(
    x: Floats, labels: Ints, groups: Ints, model: Model = "linear"
) -> npt.NDArray[np.float64]:
    """(n, k) of each label 0 to k - 1, from a model that saw no row of the same group.

    "forest" for a few facts of different kinds, "linear" (logistic regression on standardised
    columns) for many alike, such as pixels or features. Each learns from FIT_ROWS rows at most. A
    fold in whose complement a label is missing gives every row the shares of the labels.
    """
    k = int(labels.max()) + 1
    chances = np.tile(np.bincount(labels, minlength=k) / len(labels), (len(labels), 1))
    fold = folds_of(groups)
    for one in range(FOLDS):
        judge = np.flatnonzero(fold == one)
        learn = np.random.default_rng(one).permutation(np.flatnonzero(fold != one))[:FIT_ROWS]
        if len(judge) and len(np.unique(labels[learn])) == k > 1:
            fitted = make_model(model, len(learn)).fit(x[learn], labels[learn])
            chances[judge] = fitted.predict_proba(x[judge])
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


def auroc_interval(scores: Floats, truth: Bools, groups: Ints) -> dict[str, Any]:
    """AUROC with the 95 % percentile interval of a bootstrap of groups (patients).

    Returns {"value", "low", "high", "n"}; `truth` must hold both classes.
    """
    rng = np.random.default_rng(0)
    names, of_row = np.unique(groups, return_inverse=True)
    order = np.argsort(scores, kind="stable")
    step = np.append(np.diff(scores[order]) > 0, True)
    drawn = [
        _auroc(
            truth[order],
            step,
            np.bincount(rng.integers(0, len(names), len(names)), minlength=len(names))[of_row][
                order
            ],
        )
        for _ in range(RESAMPLES)
    ]
    low, high = np.nanquantile(drawn, [0.025, 0.975])
    return {"value": auroc(scores, truth), "low": float(low), "high": float(high), "n": len(truth)}


def auroc(scores: Floats, truth: Bools) -> float:
    """The Mann-Whitney statistic as a share; ties count half, NaN where one class is missing."""
    order = np.argsort(scores, kind="stable")
    step = np.append(np.diff(scores[order]) > 0, True)
    return _auroc(truth[order], step, np.ones(len(truth)))


def _auroc(truth: Bools, step: Bools, weights: npt.NDArray[Any]) -> float:
    """Mann-Whitney, weighted, for rows in order of their scores; `step` ends a run of ties."""
    positives = np.cumsum(weights * truth)[step]
    negatives = np.cumsum(weights * ~truth)[step]
    if not positives[-1] or not negatives[-1]:
        return float("nan")
    new = np.diff(positives, prepend=0)
    below = (negatives + np.append(0, negatives[:-1])) / 2
    return float((new * below).sum() / (positives[-1] * negatives[-1]))
