"""The points that figures are drawn of."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from cxr.evaluate import make_predictions, measure
from cxr.evaluate.metrics import binary
from cxr.evaluate.questions import stated_probability
from cxr.report.curves import POINTS, curves_of, roc_points


@pytest.mark.parametrize("n", [50, 5000])
def test_curves_keep_their_area_with_few_points(n: int) -> None:
    rng = np.random.default_rng(n)
    truth = rng.random(n) < 0.3
    p = 1 / (1 + np.exp(-(2 * truth + rng.normal(size=n))))
    predictions = make_predictions(
        [str(i) for i in range(n)], np.c_[1 - p, p], truth.astype(int), "ab"
    )
    curves = curves_of(predictions, measure(predictions, resamples=100))
    (roc,), (pr,) = curves["roc"], curves["precision_recall"]
    assert len(roc["x"]) <= POINTS + 1 and (roc["x"][0], roc["y"][-1]) == (0, 1)
    area = np.trapezoid(roc["y"], roc["x"])
    assert area == pytest.approx(roc_auc_score(truth, p), abs=0.003)
    found = np.r_[0, pr["recall"]]
    average = float((np.diff(found) * pr["precision"]).sum())
    assert average == pytest.approx(average_precision_score(truth, p), abs=0.01)
    assert sum(one["n"] for one in curves["reliability"]["bins"]) == n
    assert sum(curves["scores"]["with"]) == truth.sum()
    low, high = (np.array(roc["band"][end]) for end in ("low", "high"))
    assert (low <= high).all()


@pytest.mark.parametrize("ties", [False, True])
def test_the_curve_is_scikit_learns(ties: bool, simulate_binary: Any) -> None:
    predictions = simulate_binary(ties=ties)
    truth, scores = predictions.targets == 1, predictions.probabilities[:, 1]
    x, y = roc_points(binary(truth, scores, truth), np.ones((1, len(truth))))
    expected = roc_curve(truth, scores, drop_intermediate=False)
    np.testing.assert_allclose(x[0], expected[0])
    np.testing.assert_allclose(y[0], expected[1])


def test_calibration_of_several_labels_is_over_the_known_ones(simulate_labels: Any) -> None:
    predictions = simulate_labels()
    question = stated_probability(predictions)
    known = ~np.isnan(predictions.targets)
    assert len(question.scores) == known.sum()
    np.testing.assert_array_equal(question.truth, predictions.targets[known] == 1)
