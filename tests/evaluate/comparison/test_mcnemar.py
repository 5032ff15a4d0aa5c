from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from cxr.evaluate.comparison.mcnemar import mcnemar_test


@pytest.mark.parametrize(("only_a", "only_b"), [(0, 1), (3, 3), (2, 9), (12, 1), (0, 40), (70, 90)])
def test_the_exact_binomial_of_the_discordant(only_a: int, only_b: int) -> None:
    a = np.repeat([True, True, False, False], [30, only_a, only_b, 5])
    b = np.repeat([True, False, True, False], [30, only_a, only_b, 5])
    got = mcnemar_test(a, b)
    counts = [got[k] for k in ("both_right", "only_a_right", "only_b_right", "both_wrong")]
    assert counts == [30, only_a, only_b, 5]
    assert got["p_value"] == pytest.approx(stats.binomtest(only_a, only_a + only_b).pvalue)
    assert "independent" in got["note"]


def test_the_same_decisions_do_not_differ() -> None:
    right = np.array([True, False, True])
    assert mcnemar_test(right, right)["p_value"] == 1.0
