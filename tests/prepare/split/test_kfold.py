from __future__ import annotations

import random
from collections import Counter

import numpy as np
import pytest

from cxr.errors import DataError, UsageError
from cxr.prepare.split import KFoldPatientSplitter

PATIENTS = [f"p{n // 3}" for n in range(300)]
LABELS = ["A" if n // 3 % 4 == 0 else "B" for n in range(300)]


def test_each_patient_validates_once():
    folds = [KFoldPatientSplitter(5, fold)(range(300), LABELS, PATIENTS) for fold in range(5)]
    assert sorted(index for _, valid in folds for index in valid) == list(range(300))
    for train, valid in folds:
        assert sorted(train + valid) == list(range(300))
        assert not {PATIENTS[i] for i in train} & {PATIENTS[i] for i in valid}
        assert Counter(LABELS[i] for i in valid) == {"A": 15, "B": 45}


def test_the_order_of_the_images_does_not_matter():
    _, valid = KFoldPatientSplitter(5, 2)(range(300), LABELS, PATIENTS)
    order = list(range(300))
    random.Random(1).shuffle(order)
    _, shuffled = KFoldPatientSplitter(5, 2)(
        range(300), [LABELS[i] for i in order], [PATIENTS[i] for i in order]
    )
    assert {PATIENTS[i] for i in valid} == {PATIENTS[order[i]] for i in shuffled}


def test_several_labels():
    flags = np.array([[n // 3 % 2, n // 3 % 10 == 0] for n in range(300)], dtype=float)
    for fold in range(5):
        _, valid = KFoldPatientSplitter(5, fold)(range(300), flags, PATIENTS)
        assert flags[valid, 1].sum() == 6


def test_test_images_are_in_no_fold():
    splits = ["test" if n < 30 else None for n in range(300)]
    train, valid = KFoldPatientSplitter()(range(300), LABELS, PATIENTS, splits)
    assert sorted(train + valid) == list(range(30, 300))


def test_refused():
    with pytest.raises(UsageError, match="fold=5: give 0 to 4"):
        KFoldPatientSplitter(5, 5)
    with pytest.raises(UsageError, match="n_splits=1"):
        KFoldPatientSplitter(1)
    with pytest.raises(DataError, match="class 'B' has 1 patients, fewer than 5 folds"):
        KFoldPatientSplitter()(range(12), ["A"] * 10 + ["B"] * 2, [*map(str, range(10)), "b", "b"])
