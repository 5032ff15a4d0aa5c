"""Simulated predictions whose truth is known."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from cxr.evaluate import Predictions, make_predictions

Simulate = Callable[..., Predictions]


@pytest.fixture
def simulate_binary() -> Simulate:
    return _binary


@pytest.fixture
def simulate_classes() -> Simulate:
    return _classes


@pytest.fixture
def simulate_labels() -> Simulate:
    return _labels


def _binary(
    n: int = 300,
    patients: int = 120,
    seed: int = 0,
    classes: Sequence[str] = ("NORMAL", "PNEUMONIA"),
    ties: bool = False,
) -> Predictions:
    """Images of one patient share their class and part of their score."""
    rng = np.random.default_rng(seed)
    patient = rng.integers(patients, size=n)
    truth = (rng.random(patients) < 0.6)[patient].astype(int)
    logits = 2 * truth - 1 + rng.normal(size=patients)[patient] + rng.normal(size=n)
    p = 1 / (1 + np.exp(-logits))
    if ties:
        p = np.round(p, 1)
    paths = [f"{classes[y]}/{i}.png" for i, y in enumerate(truth)]
    names = [f"patient {i}" for i in patient]
    return make_predictions(paths, np.c_[1 - p, p], truth, classes, patients=names, split="valid")


def _classes(n: int = 240, k: int = 3, patients: int = 100, seed: int = 0) -> Predictions:
    rng = np.random.default_rng(seed)
    patient = rng.integers(patients, size=n)
    truth = rng.integers(k, size=patients)[patient]
    logits = rng.normal(size=(n, k))
    logits[np.arange(n), truth] += 1.5
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    names = ["normal", "bacterial", "viral", "covid"][:k]
    return make_predictions([f"{i}.png" for i in range(n)], p, truth, names, patients=patient)


def _labels(n: int = 240, k: int = 3, patients: int = 100, seed: int = 0) -> Predictions:
    """A tenth of the labels is not known."""
    rng = np.random.default_rng(seed)
    truth = (rng.random((n, k)) < 0.3).astype(float)
    p = 1 / (1 + np.exp(-(2 * truth - 1 + rng.normal(size=(n, k)))))
    truth[rng.random((n, k)) < 0.1] = np.nan
    names = ["Edema", "Effusion", "Nodule", "Hernia"][:k]
    patient = rng.integers(patients, size=n)
    return make_predictions([f"{i}.png" for i in range(n)], p, truth, names, patients=patient)
