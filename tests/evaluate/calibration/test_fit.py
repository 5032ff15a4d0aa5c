from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit, log_softmax, softmax
from scipy.stats import rankdata
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from cxr.errors import DataError
from cxr.evaluate import fit_temperature
from cxr.evaluate.calibration import fit_platt, fit_vector


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
def test_no_temperature_can_be_fitted(logits: object, targets: object, reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        fit_temperature(logits, targets)  # type: ignore[arg-type]


def unpenalised(log_odds: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    model = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(log_odds[:, None], truth)
    return model.coef_[0, 0], model.intercept_[0]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("ties", [False, True])
def test_two_classes_are_platts_logistic_regression(seed: int, ties: bool) -> None:
    rng = np.random.default_rng(seed)
    logits = rng.normal(scale=3, size=(400, 2)) + np.array([1, -1])
    if ties:
        logits = np.round(logits)
    log_odds = logits[:, 1] - logits[:, 0]
    truth = (rng.random(400) < expit(0.6 * log_odds - 0.8)).astype(int)
    factor, bias = unpenalised(log_odds, truth)
    found = fit_vector(logits, truth)
    assert found.factors == pytest.approx((factor, factor), rel=1e-4)
    assert found.biases == pytest.approx((-bias / 2, bias / 2), rel=1e-4)
    ours = softmax(found.apply(logits), axis=1)[:, 1]
    np.testing.assert_allclose(ours, expit(factor * log_odds + bias), atol=1e-5)


def test_each_label_is_fitted_alone_on_what_is_known() -> None:
    rng = np.random.default_rng(5)
    logits = rng.normal(scale=2, size=(600, 3))
    truth = (rng.random(logits.shape) < expit(logits * [0.5, 1, 2] + [1, 0, -1])).astype(float)
    truth[rng.random(logits.shape) < 0.3] = np.nan
    found = fit_vector(logits, truth)
    for i in range(3):
        known = ~np.isnan(truth[:, i])
        factor, bias = unpenalised(logits[known, i], truth[known, i])
        assert found.factors[i] == pytest.approx(factor, rel=1e-4)
        assert found.biases[i] == pytest.approx(bias, rel=1e-3, abs=1e-4)


def test_more_classes_have_the_likelihood_of_another_optimiser() -> None:
    rng = np.random.default_rng(6)
    logits = rng.normal(scale=2, size=(500, 3))
    truth = draw(softmax(logits * [0.5, 0.8, 1.2] + [0.5, 0, -0.5], axis=1), rng)

    def loss(x: np.ndarray) -> float:
        return -log_softmax(logits * x[:3] + x[3:], axis=1)[np.arange(500), truth].mean()

    theirs = minimize(loss, [1, 1, 1, 0, 0, 0], method="BFGS")
    found = fit_vector(logits, truth)
    assert loss(np.r_[found.factors, found.biases]) == pytest.approx(theirs.fun, abs=1e-8)
    np.testing.assert_allclose(found.factors, theirs.x[:3], atol=1e-3)
    np.testing.assert_allclose(found.biases, theirs.x[3:] - theirs.x[3:].mean(), atol=1e-3)


def test_the_order_of_the_classes_does_not_matter() -> None:
    rng = np.random.default_rng(7)
    logits = rng.normal(size=(200, 2))
    truth = draw(softmax(logits / 2, axis=1), rng)
    one, other = fit_vector(logits, truth), fit_vector(logits[:, ::-1], 1 - truth)
    assert other.factors == pytest.approx(one.factors, rel=1e-5)
    assert other.biases == pytest.approx(one.biases[::-1], abs=1e-6)


@pytest.mark.parametrize(
    ("logits", "targets"),
    [
        ([[0, -5], [0, -4], [0, 2], [0, 9]], [0, 0, 1, 1]),
        ([[0, 1], [0, 2], [0, 3], [0, 9]], [0, 0, 1, 1]),  # parted, but not at 0.5
        ([[0, 1], [0, 2], [0, 2], [0, 9]], [0, 0, 1, 1]),  # parted but for a tie
        ([[0, 1], [0, 2]], [1, 1]),
        ([[0, 1], [0, 2]], [0, 0]),
        (np.eye(3) * 5, [0, 1, 2]),
        ([[0, 1, 2], [1, 0, 2], [0, 3, 2]], [0, 1, 0]),  # no image of the third class
    ],
)
def test_without_an_error_there_is_no_reason_to_sharpen(logits: object, targets: object) -> None:
    found = fit_vector(logits, targets)  # type: ignore[arg-type]
    assert set(found.factors) == {1.0}
    assert set(found.biases) == {0.0}


def test_of_labels_only_those_with_errors_are_changed() -> None:
    rng = np.random.default_rng(8)
    logits = rng.normal(size=(100, 3))
    truth = np.c_[logits[:, 0] > 0.3, rng.random(100) < 0.2, np.full(100, np.nan)].astype(float)
    found = fit_vector(logits, truth)
    assert (found.factors[0], found.biases[0]) == (found.factors[2], found.biases[2]) == (1, 0)
    assert found.biases[1] < -1


def test_a_model_that_is_wrong_all_along_is_made_humble_but_not_turned_round() -> None:
    rng = np.random.default_rng(9)
    log_odds = rng.normal(size=500)
    factor, _ = fit_platt(log_odds, rng.random(500) < expit(-2 * log_odds))
    assert factor == 0.05
    logits = np.c_[-log_odds, log_odds]
    found = fit_vector(logits, (rng.random(500) < expit(-2 * log_odds)).astype(int))
    before, after = (some[:, 1] - some[:, 0] for some in (logits, found.apply(logits)))
    np.testing.assert_array_equal(rankdata(after), rankdata(before))


def test_huge_logits_do_not_overflow() -> None:
    logits = np.array([[0, -1e4], [0, 1e4], [0, 1e4], [0, -1e4], [0, -2e4], [0, 3e4]])
    found = fit_vector(logits, [0, 1, 0, 1, 0, 1])
    assert found.factors[0] == pytest.approx(0.05)


@pytest.mark.parametrize(
    ("logits", "targets", "reason"),
    [
        (np.zeros((0, 2)), [], "no image"),
        (np.zeros((2, 2)), [0], "do not fit"),
        ([[np.nan, 0.0]], [0], "NaN"),
    ],
)
def test_no_vector_can_be_fitted(logits: object, targets: object, reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        fit_vector(logits, targets)  # type: ignore[arg-type]
