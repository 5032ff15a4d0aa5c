"""Logits -> probabilities that match observed frequencies: fit, choose, measure, correct."""

from .calibration import Calibration, at_prevalence
from .choice import choose_calibration
from .fit import fit_platt, fit_vector
from .summary import ReliabilityBin, reliability_bins, summarise_calibration

__all__ = [
    "Calibration",
    "ReliabilityBin",
    "at_prevalence",
    "choose_calibration",
    "fit_platt",
    "fit_vector",
    "reliability_bins",
    "summarise_calibration",
]
