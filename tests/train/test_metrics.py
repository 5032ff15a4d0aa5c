from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, roc_auc_score

from cxr.train import accuracy, auroc, error_rate

NAN = float("nan")


@pytest.fixture
def chances():
    return np.random.default_rng(0).dirichlet(np.ones(3), size=40)


@pytest.fixture
def classes():
    return np.random.default_rng(1).integers(3, size=40)


def test_one_class(chances, classes):
    expected = accuracy_score(classes, chances.argmax(1))
    assert accuracy(chances, classes) == pytest.approx(expected)
    assert error_rate(chances, classes) == pytest.approx(1 - expected)


def test_auroc_of_two_classes_is_that_of_the_second(chances, classes):
    two = chances[:, :2] / chances[:, :2].sum(axis=1, keepdims=True)
    truth = classes % 2
    assert auroc(two, truth) == pytest.approx(roc_auc_score(truth, two[:, 1]))


def test_auroc_of_several_classes_is_one_against_the_rest(chances, classes):
    expected = roc_auc_score(classes, chances, multi_class="ovr", average="macro")
    assert auroc(chances, classes) == pytest.approx(expected)


def test_unknown_labels_are_left_out(chances):
    truth = (chances > np.random.default_rng(2).random((40, 3))).astype(float)
    truth[::4, 1] = NAN
    known = ~np.isnan(truth)
    expected = accuracy_score(truth[known], chances[known] > 0.5)
    assert accuracy(chances, truth) == pytest.approx(expected)
    areas = [roc_auc_score(truth[known[:, j], j], chances[known[:, j], j]) for j in range(3)]
    assert auroc(chances, truth) == pytest.approx(np.mean(areas))


def test_auroc_without_a_positive_is_not_a_number(chances):
    assert math.isnan(auroc(chances[:, :2], np.zeros(40, dtype=int)))
    assert math.isnan(auroc(chances, np.zeros((40, 3))))
