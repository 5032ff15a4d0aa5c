from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.metrics import roc_curve

from cxr.errors import DataError, UsageError
from cxr.evaluate import Predictions, choose_threshold, make_predictions


def rates(predictions: Predictions, threshold: float) -> tuple[float, float]:
    found = predictions.decide(threshold) == predictions.positive_index
    truth = predictions.targets == predictions.positive_index
    return float(found[truth].mean()), float((~found)[~truth].mean())


@pytest.mark.parametrize("ties", [False, True])
def test_youden_reaches_the_best_that_scikit_learn_finds(ties: bool, simulate_binary: Any) -> None:
    predictions = simulate_binary(ties=ties)
    x, y, _ = roc_curve(predictions.targets, predictions.probabilities[:, 1])
    sensitivity, specificity = rates(predictions, choose_threshold(predictions))
    assert sensitivity + specificity - 1 == pytest.approx((y - x).max())


@pytest.mark.parametrize("share", [0.5, 0.95, 1.0])
def test_a_share_is_reached_at_the_least_cost(share: float, simulate_binary: Any) -> None:
    predictions = simulate_binary()
    x, y, _ = roc_curve(
        predictions.targets, predictions.probabilities[:, 1], drop_intermediate=False
    )
    sensitivity, specificity = rates(
        predictions, choose_threshold(predictions, f"sensitivity:{share}")
    )
    assert sensitivity >= share
    assert specificity == pytest.approx(1 - x[y >= share].min())
    sensitivity, specificity = rates(
        predictions, choose_threshold(predictions, f"specificity:{share}")
    )
    assert specificity >= share
    assert sensitivity == pytest.approx(y[1 - x >= share - 1e-12].max())


def test_a_threshold_lies_between_scores() -> None:
    p = np.array([0.1, 0.3, 0.6, 0.9])
    predictions = make_predictions("abcd", np.c_[1 - p, p], [0, 0, 1, 1], ("normal", "sick"))
    assert choose_threshold(predictions) == pytest.approx(0.45)


def test_a_share_out_of_reach_is_told() -> None:
    p = np.ones(4)
    predictions = make_predictions("abcd", np.c_[1 - p, p], [0, 0, 1, 1], ("normal", "sick"))
    with pytest.raises(DataError, match=r"specificity:0\.9"):
        choose_threshold(predictions, "specificity:0.9")


def test_one_class_has_no_threshold() -> None:
    predictions = make_predictions("ab", np.full((2, 2), 0.5), [1, 1], ("normal", "sick"))
    with pytest.raises(DataError, match="of one class"):
        choose_threshold(predictions)


@pytest.mark.parametrize(
    "rule", ["best", "sensitivity", "sensitivity:", "specificity:2", "youden:1", "f1:0.5", ""]
)
def test_unknown_rules_are_refused(rule: str, simulate_binary: Any) -> None:
    with pytest.raises(UsageError, match="allowed: youden"):
        choose_threshold(simulate_binary(), rule)


def test_more_classes_have_no_single_threshold(simulate_classes: Any) -> None:
    with pytest.raises(UsageError, match="no single positive class"):
        choose_threshold(simulate_classes())
