"""What another share of ill patients adds to the log-odds of the finding."""

from __future__ import annotations

import math

from ..errors import UsageError


def log_odds_shift(trained_prevalence: float, stated_prevalence: float) -> float:
    """The difference of the log-odds of both shares.

    Raises UsageError for a share that is not above 0 and below 1.
    """
    trained, stated = (_log_odds(share) for share in (trained_prevalence, stated_prevalence))
    return stated - trained


def _log_odds(share: float) -> float:
    if not 0 < share < 1:
        raise UsageError(f"prevalence {share}; a share above 0 and below 1 is needed")
    return math.log(share) - math.log1p(-share)
