"""Step 4b: predictions -> metrics with intervals, calibration, operating point, report.

Works from plain tables: it never needs the trainer, nor torch.
"""

from .compare import compare_models, compare_predictions
from .compare_words import comparison_sentences
from .interpretation import ClassificationInterpretation
from .measure import measure
from .positive import positive_class
from .predictions import Predictions, make_predictions, read_predictions, write_predictions
from .report import write_report
from .run import evaluate_predictions
from .temperature import fit_temperature
from .threshold import choose_threshold

__all__ = [
    "ClassificationInterpretation",
    "Predictions",
    "choose_threshold",
    "compare_models",
    "compare_predictions",
    "comparison_sentences",
    "evaluate_predictions",
    "fit_temperature",
    "make_predictions",
    "measure",
    "positive_class",
    "read_predictions",
    "write_predictions",
    "write_report",
]
