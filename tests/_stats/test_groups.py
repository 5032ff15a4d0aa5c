from __future__ import annotations

import numpy as np
import pytest

from cxr._stats.groups import patient_groups


@pytest.mark.parametrize("unknown_last", [False, True])
def test_unknown_patients_are_each_their_own(unknown_last: bool) -> None:
    groups = patient_groups(["a", None, "b", "", "a"], unknown_last=unknown_last)
    assert len(set(groups)) == 4 and groups[0] == groups[4]


def test_groups_are_numbered_as_patients_first_appear() -> None:
    patients = ["b", None, "a", "b", None]
    np.testing.assert_array_equal(patient_groups(patients), [0, 1, 2, 0, 3])
    np.testing.assert_array_equal(patient_groups(patients, unknown_last=True), [0, 2, 1, 0, 3])


def test_numbers_do_as_names() -> None:
    groups = patient_groups(np.array([7, 0, 7], object))
    assert groups.dtype == np.int64 and groups.tolist() == [0, 1, 0]
    assert patient_groups([]).shape == (0,)
