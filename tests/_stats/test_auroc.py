from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from cxr._stats.auroc import auroc, by_falling_score, weighted_auroc


@pytest.mark.parametrize("digits", [1, 9])
def test_it_is_that_of_scikit_learn_with_ties_and_weights(digits: int) -> None:
    rng = np.random.default_rng(0)
    truth, scores = rng.random(200) < 0.3, np.round(rng.random(200), digits)
    assert auroc(scores, truth) == pytest.approx(roc_auc_score(truth, scores), rel=1e-12)
    weights = rng.integers(0, 4, (5, 200)).astype(float)
    areas = weighted_auroc(scores, *by_falling_score(scores, truth), weights)
    wanted = [roc_auc_score(truth, scores, sample_weight=row) for row in weights]
    np.testing.assert_allclose(areas, wanted, rtol=1e-12)


def test_it_needs_both_classes() -> None:
    scores = np.array([0.2, 0.3])
    assert np.isnan(auroc(scores, np.array([True, True])))
    ranked = by_falling_score(scores, np.array([True, False]))
    assert np.isnan(weighted_auroc(scores, *ranked, np.array([[1.0, 0.0]]))).all()
