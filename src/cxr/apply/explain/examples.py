"""Telling examples: where the model errs most, is most and least certain, and what is like them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...errors import UsageError
from ...evaluate import Predictions
from ...evaluate.predictions import Threshold

EACH, NEIGHBOURS = 5, 3
SMALLEST = 1e-12


def find_examples(
    predictions: Predictions, threshold: Threshold = 0.5, k: int = EACH
) -> dict[str, list[int]]:
    """Rows of the predictions table: `top_losses`, `most_certain` and `least_certain`.

    At most `k` each, at most one a patient. Certainty is the distance from the decision: in
    log-odds from `threshold` for two classes, the lead of the likeliest class over the next for
    several, the label nearest to its threshold where an image has several labels.
    """
    certain = certainty(predictions, threshold)
    losses = predictions.losses
    known = np.flatnonzero(~np.isnan(losses))
    return {
        "top_losses": _first(known[np.argsort(-losses[known], kind="stable")], predictions, k),
        "most_certain": _first(np.argsort(-certain, kind="stable"), predictions, k),
        "least_certain": _first(np.argsort(certain, kind="stable"), predictions, k),
    }


def certainty(predictions: Predictions, threshold: Threshold = 0.5) -> NDArray[np.float64]:
    """(n,) from 0, where the model cannot decide; see `find_examples`."""
    probabilities = predictions.probabilities
    if predictions.multi_label:
        limits = _log_odds(np.asarray(threshold))
        return np.abs(_log_odds(probabilities) - limits).min(axis=1)
    if predictions.binary:
        positive = probabilities[:, predictions.positive_index]
        return np.abs(_log_odds(positive) - _log_odds(np.array(threshold)))
    second, first = np.sort(probabilities, axis=1)[:, -2:].T
    return first - second


def _log_odds(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.log(np.maximum(probabilities, SMALLEST)) - np.log(
        np.maximum(1 - probabilities, SMALLEST)
    )


def _first(rows: NDArray[np.int64], predictions: Predictions, k: int) -> list[int]:
    """The first `k` of `rows`, of different patients."""
    chosen: dict[int, int] = {}
    for row in rows.tolist():
        chosen.setdefault(int(predictions.patient_groups[row]), row)
        if len(chosen) == k:
            break
    return list(chosen.values())


def nearest(
    features: NDArray[np.float32], bank: NDArray[np.float32], k: int = NEIGHBOURS
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Distances and rows, both (n, k), of the images in `bank` (m, d) most like `features` (n, d).

    Cosine distance, 0 for the same direction to 2; nearest first. Where the bank holds fewer than
    `k`, all of them. Raises UsageError when the features are not of one kind.
    """
    if features.ndim != 2 or bank.ndim != 2 or features.shape[1] != bank.shape[1]:
        raise UsageError(
            f"features {features.shape} and {bank.shape} cannot be compared; give (n, d) and (m, d)"
        )
    distances = 1 - _unit(features) @ _unit(bank).T
    rows = np.argsort(distances, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(distances, rows, axis=1), rows


def _unit(features: NDArray[np.float32]) -> NDArray[np.float32]:
    return features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), SMALLEST)
