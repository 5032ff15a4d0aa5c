from __future__ import annotations

from pathlib import Path

import pytest

from cxr.find import read_manifest
from cxr.prepare.split import RandomSplitter, shared_patients
from cxr.prepare.split.common import patient_groups


def test_shared_patients():
    patients = ["a", "a", "b", None, None, "b", "c"]
    assert shared_patients([0, 2, 3], [1, 4, 5, 6], patients) == (2, 0.5)
    assert shared_patients([0, 1], [], patients) == (0, 0.0)


def test_a_random_tenth_of_the_real_images_shares_patients(shared_data):
    manifest = read_manifest(shared_data / "kermany224")
    train, valid = RandomSplitter(0.1, seed=42)(manifest.paths())
    _, share = shared_patients(train, valid, manifest.patients())
    assert share == pytest.approx(0.42, abs=0.03)


def test_a_pseudonym_goes_by_its_files_so_that_no_key_changes_the_split():
    items = [Path(f"data/A/{name}.dcm") for name in "dbcae"]
    one = patient_groups(items, ["dcm-7f", "dcm-01", "dcm-7f", None, "person4"])
    other = patient_groups(items, ["dcm-22", "dcm-99", "dcm-22", None, "person4"])
    assert one == other
    assert one[0] == one[2] and len(set(one)) == 4
