from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import torch

from cxr.errors import DataError, UsageError
from cxr.prepare.split import RandomSplitter

REFERENCE = Path(__file__).parents[2] / "reference" / "fastai_splits.json"
CASES = json.loads(REFERENCE.read_text(encoding="utf-8"))["cases"]


def digest(indices):
    return hashlib.sha256(",".join(map(str, indices)).encode()).hexdigest()


@pytest.mark.parametrize("case", CASES, ids=lambda case: "{n}-{valid_pct}-{seed}".format(**case))
def test_the_very_indices_of_fastai(case):
    train, valid = RandomSplitter(case["valid_pct"], seed=case["seed"])(range(case["n"]))
    assert train[:5] == case["train_first"]
    assert valid[:5] == case["valid_first"]
    assert digest(train) == case["train_sha256"]
    assert digest(valid) == case["valid_sha256"]


def test_a_seed_leaves_the_global_generator_alone():
    torch.manual_seed(7)
    expected = torch.rand(1)
    torch.manual_seed(7)
    RandomSplitter(seed=42)(range(10))
    assert torch.rand(1) == expected


def test_without_a_seed_the_global_generator_decides_as_in_fastai():
    torch.manual_seed(3)
    expected = torch.randperm(10).tolist()
    torch.manual_seed(3)
    assert RandomSplitter(0.2)(range(10)) == (expected[2:], expected[:2])


def test_shared_patients_are_told(capsys):
    patients = [None if index < 4 else f"p{index // 2}" for index in range(20)]
    train, valid = RandomSplitter(0.5, seed=0)(range(20), patients=patients)
    shared = sum(index >= 4 and index ^ 1 in train for index in valid)
    assert 0 < shared < 10
    assert f"{shared} of 10 validation images" in capsys.readouterr().err


def test_test_images_are_on_neither_side():
    splits = ["test", None, "train", "valid"] * 5
    train, valid = RandomSplitter(0.2, seed=0)(range(20), splits=splits)
    assert len(valid) == 3
    assert sorted(train + valid) == [row for row in range(20) if row % 4]


def test_refused():
    for valid_pct in (0, 1, -0.2, 20):
        with pytest.raises(UsageError, match=f"valid_pct={valid_pct}"):
            RandomSplitter(valid_pct)
    with pytest.raises(DataError, match="of 4 images leaves none"):
        RandomSplitter(0.2, seed=0)(range(4))
