from __future__ import annotations

import pytest

from cxr.find import read_manifest
from cxr.prepare.split import RandomSplitter, shared_patients


def test_shared_patients():
    patients = ["a", "a", "b", None, None, "b", "c"]
    assert shared_patients([0, 2, 3], [1, 4, 5, 6], patients) == (2, 0.5)
    assert shared_patients([0, 1], [], patients) == (0, 0.0)


def test_a_random_tenth_of_the_real_images_shares_patients(shared_data):
    manifest = read_manifest(shared_data / "kermany224")
    train, valid = RandomSplitter(0.1, seed=42)(manifest.paths())
    _, share = shared_patients(train, valid, manifest.patients())
    assert share == pytest.approx(0.42, abs=0.03)
