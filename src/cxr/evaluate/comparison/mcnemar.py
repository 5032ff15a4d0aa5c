"""Do two models err equally often on the same images? (McNemar, 1947; exact, not by chi-square)"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .delong import INDEPENDENT

Mask = NDArray[np.bool_]


def mcnemar_test(a_right: Mask, b_right: Mask) -> dict[str, Any]:
    """Counts of the four outcomes and the two-sided exact `p_value`, of (n,) right or wrong.

    Only images that one model alone decides rightly tell; were the models equal, each of the two
    would have half of them. 1 where there is no such image.
    """
    from scipy.special import bdtr  # scipy.stats would take seconds to import

    only_a, only_b = int((a_right & ~b_right).sum()), int((b_right & ~a_right).sum())
    return {
        "both_right": int((a_right & b_right).sum()),
        "only_a_right": only_a,
        "only_b_right": only_b,
        "both_wrong": int((~a_right & ~b_right).sum()),
        "p_value": min(1.0, 2 * float(bdtr(min(only_a, only_b), only_a + only_b, 0.5))),
        "note": INDEPENDENT,
    }
