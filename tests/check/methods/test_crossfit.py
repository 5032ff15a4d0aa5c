from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from cxr.check.methods.crossfit import (
    FOLDS,
    auroc_interval,
    chances_out_of_fold,
    folds_of,
    out_of_fold,
)


def test_interval_is_a_bootstrap_of_patients():
    """Against plain resampling of whole patients with scikit-learn's AUROC."""
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(40), 3)
    truth = np.repeat(rng.random(40) < 0.5, 3)
    scores = truth + rng.normal(0, 1.5, 120)
    found = auroc_interval(scores, truth, groups)
    assert found["value"] == pytest.approx(roc_auc_score(truth, scores))
    assert found["n"] == 120
    drawn = []
    for _ in range(400):
        rows = np.concatenate([np.flatnonzero(groups == g) for g in rng.integers(0, 40, 40)])
        drawn.append(roc_auc_score(truth[rows], scores[rows]))
    low, high = np.quantile(drawn, [0.025, 0.975])
    assert found["low"] == pytest.approx(low, abs=0.04)
    assert found["high"] == pytest.approx(high, abs=0.04)


def test_interval_does_not_count_images():
    rng = np.random.default_rng(6)
    truth, scores = rng.random(50) < 0.5, rng.normal(size=50)
    one = auroc_interval(scores + truth, truth, np.arange(50))
    many = auroc_interval(
        np.repeat(scores + truth, 8), np.repeat(truth, 8), np.repeat(np.arange(50), 8)
    )
    assert [many[key] for key in ("value", "low", "high")] == pytest.approx(
        [one[key] for key in ("value", "low", "high")]
    )


def test_folds_keep_groups_together_and_are_even():
    groups = np.repeat(np.arange(50), 3)
    fold = folds_of(groups)
    assert all(len(np.unique(fold[groups == group])) == 1 for group in range(50))
    assert set(np.bincount(fold)) == {30}


@pytest.mark.parametrize("model", ["forest", "linear"])
def test_a_group_is_never_learnt_from_when_it_is_judged(model):
    """Each group has facts and a label of its own, unrelated: only leaking could tell."""
    rng = np.random.default_rng(2)
    facts, labels = rng.normal(size=(60, 60)), rng.random(60) < 0.5
    repeat = np.repeat(np.arange(60), 12)
    kept = roc_auc_score(labels[repeat], out_of_fold(facts[repeat], labels[repeat], repeat, model))
    leaked = out_of_fold(facts[repeat], labels[repeat], np.arange(720), model)
    assert kept < 0.7 < 0.9 < roc_auc_score(labels[repeat], leaked)


def test_chances_of_several_labels_add_up():
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 3, 300)
    x = np.eye(3)[labels] + rng.normal(0, 0.3, (300, 3))
    chances = chances_out_of_fold(x, labels, np.arange(300))
    np.testing.assert_allclose(chances.sum(1), 1)
    assert (chances.argmax(1) == labels).mean() > 0.9


def test_a_label_in_one_fold_only_scores_by_its_share():
    groups = np.arange(40)
    labels = np.zeros(40, int)
    labels[np.flatnonzero(folds_of(groups) == 0)[0]] = 1
    chances = chances_out_of_fold(np.arange(40.0)[:, None], labels, groups)
    judged = folds_of(groups) == 0
    np.testing.assert_allclose(chances[judged], [[39 / 40, 1 / 40]] * judged.sum())
    assert FOLDS == 5
