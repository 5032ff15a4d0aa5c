from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, softmax
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from cxr.errors import DataError
from cxr.evaluate import fit_temperature


def draw(probabilities: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return (rng.random((len(probabilities), 1)) > probabilities.cumsum(axis=1)).sum(axis=1)


@pytest.mark.parametrize("true", [0.5, 1.0, 2.5])
def test_the_temperature_that_made_the_labels_is_found(true: float) -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(scale=2, size=(20000, 3))
    targets = draw(softmax(logits / true, axis=1), rng)
    assert fit_temperature(logits, targets) == pytest.approx(true, rel=0.05)


def test_two_classes_agree_with_logistic_regression() -> None:
    rng = np.random.default_rng(1)
    margin = rng.normal(scale=3, size=500)
    targets = (rng.random(500) < expit(margin / 2)).astype(int)
    model = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-10)
    slope = model.fit(margin[:, None], targets).coef_[0, 0]
    logits = np.c_[np.zeros(500), margin]
    assert fit_temperature(logits, targets) == pytest.approx(1 / slope, rel=1e-3)


def test_no_neighbour_is_better() -> None:
    rng = np.random.default_rng(2)
    logits = rng.normal(scale=3, size=(200, 4))
    targets = draw(softmax(logits / 2, axis=1), rng)
    best = fit_temperature(logits, targets)
    losses = [
        log_loss(targets, softmax(logits / t, axis=1)) for t in (best * 0.99, best, best * 1.01)
    ]
    assert losses[1] == min(losses)


def test_several_labels_leave_out_the_unknown() -> None:
    rng = np.random.default_rng(3)
    logits = rng.normal(scale=2, size=(20000, 2))
    targets = (rng.random(logits.shape) < expit(logits / 1.7)).astype(float)
    targets[rng.random(logits.shape) < 0.3] = np.nan
    assert fit_temperature(logits, targets) == pytest.approx(1.7, rel=0.05)


def test_labels_all_on_the_right_side_are_no_reason_to_sharpen() -> None:
    assert fit_temperature(np.eye(3) * 5, [0, 1, 2]) == 1.0
    assert fit_temperature([[2.0, -1.0]], [[1, np.nan]]) == 1.0


def test_a_model_that_knows_nothing_is_made_humble() -> None:
    rng = np.random.default_rng(4)
    assert fit_temperature(rng.normal(size=(500, 2)) * 5, rng.integers(2, size=500)) > 5


@pytest.mark.parametrize(
    ("logits", "targets", "reason"),
    [
        (np.zeros((0, 2)), [], "no image"),
        (np.zeros((2, 2)), [0], "do not fit"),
        (np.zeros(2), [0, 1], "do not fit"),
        ([[np.nan, 0.0]], [0], "NaN"),
        ([[1.0, 0.0]], [[np.nan, np.nan]], "no image"),
    ],
)
def test_what_cannot_be_fitted_is_refused(logits: object, targets: object, reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        fit_temperature(logits, targets)  # type: ignore[arg-type]
