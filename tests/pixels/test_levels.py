from __future__ import annotations

import numpy as np
import pytest

from cxr.pixels import levels


@pytest.mark.parametrize("at_a_time", [1, 100, 1 << 20])
def test_as_numpy_does_in_one_go(at_a_time: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(levels, "_AT_A_TIME", at_a_time)
    rng = np.random.default_rng(1)
    values = rng.integers(0, 500, (37, 23)).astype(np.uint16)
    table = rng.integers(0, 256, 600).astype(np.uint8)
    assert (levels.histogram(values, 600) == np.bincount(values.ravel(), minlength=600)).all()
    found = levels.look_up(table, values)
    assert (found == table[values]).all() and found.dtype == np.uint8
