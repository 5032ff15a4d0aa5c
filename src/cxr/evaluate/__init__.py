"""Step 4b: predictions -> metrics with intervals, calibration, operating threshold, abstention.

Works from plain tables: it never needs the trainer, nor torch.
"""

from .calibration.temperature import fit_temperature
from .comparison.compare import compare_models, compare_predictions
from .confident import abstention_facts
from .decision_curve import decision_curve
from .measure import measure
from .operating_point import operating_facts
from .positive import positive_class
from .predictions import Predictions, make_predictions, read_predictions, write_predictions
from .subgroups import measure_subgroups
from .threshold import choose_threshold

__all__ = [
    "Predictions",
    "abstention_facts",
    "choose_threshold",
    "compare_models",
    "compare_predictions",
    "decision_curve",
    "fit_temperature",
    "make_predictions",
    "measure",
    "measure_subgroups",
    "operating_facts",
    "positive_class",
    "read_predictions",
    "write_predictions",
]
