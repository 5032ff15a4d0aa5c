"""Step 4b: predictions -> metrics with intervals, calibration, operating threshold, abstention.

Works from plain tables: it never needs the trainer, nor torch.
"""

from .abstention.confident import summarise_abstention
from .calibration.fit import fit_temperature
from .comparison.compare import compare_models, compare_predictions
from .decision_curve import decision_curve
from .measure import measure
from .operating_point import summarise_operating_point
from .predictions import (
    Predictions,
    make_predictions,
    positive_class,
    read_predictions,
    write_predictions,
)
from .subgroups import measure_subgroups
from .threshold import choose_threshold

__all__ = [
    "Predictions",
    "choose_threshold",
    "compare_models",
    "compare_predictions",
    "decision_curve",
    "fit_temperature",
    "make_predictions",
    "measure",
    "measure_subgroups",
    "positive_class",
    "read_predictions",
    "summarise_abstention",
    "summarise_operating_point",
    "write_predictions",
]
