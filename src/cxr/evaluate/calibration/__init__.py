"""Logits -> probabilities that can be taken at their word: fit, choose, judge, correct."""

from ...bundle.prevalence import log_odds_shift
from .bins import reliability_bins
from .calibration import Calibration
from .choice import choose_calibration
from .facts import calibration_facts
from .prevalence import at_prevalence
from .vector import fit_platt, fit_vector

__all__ = [
    "Calibration",
    "at_prevalence",
    "calibration_facts",
    "choose_calibration",
    "fit_platt",
    "fit_vector",
    "log_odds_shift",
    "reliability_bins",
]
