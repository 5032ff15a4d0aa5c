from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, logit
from scipy.stats import norm

from cxr.bundle.prevalence import log_odds_shift
from cxr.errors import UsageError
from cxr.evaluate.calibration import at_prevalence


def test_it_is_bayes_rule_with_another_prior() -> None:
    """Scores of two normal populations: the posterior is known at any prevalence."""
    score = np.linspace(-3, 4, 50)
    ill, healthy = norm.pdf(score, 1), norm.pdf(score, 0)

    def posterior(share: float) -> np.ndarray:
        return share * ill / (share * ill + (1 - share) * healthy)

    np.testing.assert_allclose(at_prevalence(posterior(0.74), 0.74, 0.05), posterior(0.05))
    np.testing.assert_allclose(at_prevalence(posterior(0.1), 0.1, 0.6), posterior(0.6))


def test_the_shift_is_the_same_correction_in_log_odds() -> None:
    p = np.array([0.01, 0.4, 0.9])
    shifted = expit(logit(p) + log_odds_shift(0.3, 0.8))
    np.testing.assert_allclose(at_prevalence(p, 0.3, 0.8), shifted)


def test_corrected_probabilities_are_calibrated_where_the_finding_is_rarer() -> None:
    rng = np.random.default_rng(0)
    n = 200_000
    truth = rng.random(n) < 0.1
    score = rng.normal(size=n) + 1.5 * truth
    trained = expit(1.5 * score - 1.5**2 / 2)  # right where half of the images have the finding
    corrected = at_prevalence(trained, 0.5, 0.1)
    for low in np.arange(0, 0.9, 0.1):
        inside = (corrected >= low) & (corrected < low + 0.1)
        assert truth[inside].mean() == pytest.approx(corrected[inside].mean(), abs=0.03)


def test_certainty_stays_and_so_does_what_was_right_already() -> None:
    np.testing.assert_array_equal(at_prevalence([0.0, 1.0], 0.5, 0.01), [0.0, 1.0])
    np.testing.assert_allclose(at_prevalence([0.2, 0.7], 0.3, 0.3), [0.2, 0.7])


@pytest.mark.parametrize("shares", [(0.0, 0.5), (0.5, 1.0), (float("nan"), 0.5), (0.5, -0.1)])
def test_a_prevalence_that_is_no_share_is_refused(shares: tuple[float, float]) -> None:
    with pytest.raises(UsageError, match="above 0 and below 1"):
        at_prevalence([0.5], *shares)
