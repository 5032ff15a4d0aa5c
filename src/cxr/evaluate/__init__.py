"""Step 4b: predictions -> metrics with intervals, calibration, operating point, report.

Works from plain tables: it never needs the trainer, nor torch.
"""

from .compare import compare_models, compare_predictions
from .compare_words import comparison_sentences
from .decision_curve import decision_curve
from .interpretation import ClassificationInterpretation
from .measure import measure
from .operating_point import operating_facts
from .positive import positive_class
from .predictions import Predictions, make_predictions, read_predictions, write_predictions
from .report import (
    ReportParts,
    flow_facts,
    page_of,
    read_history,
    trust_facts,
    write_report,
)
from .run import evaluate_predictions
from .subgroups import measure_subgroups
from .temperature import fit_temperature
from .threshold import choose_threshold

__all__ = [
    "ClassificationInterpretation",
    "Predictions",
    "ReportParts",
    "choose_threshold",
    "compare_models",
    "compare_predictions",
    "comparison_sentences",
    "decision_curve",
    "evaluate_predictions",
    "fit_temperature",
    "flow_facts",
    "make_predictions",
    "measure",
    "measure_subgroups",
    "operating_facts",
    "page_of",
    "positive_class",
    "read_history",
    "read_predictions",
    "trust_facts",
    "write_predictions",
    "write_report",
]
