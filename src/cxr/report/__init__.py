"""Documents made from numbers: the report, figures, the model card and checklists."""

from .comparison import comparison_sentences
from .compose import report_of
from .flow import flow_facts
from .interpretation import ClassificationInterpretation
from .page import page_of, write_report
from .parts import ReportParts, read_history
from .results import evaluate_predictions

__all__ = [
    "ClassificationInterpretation",
    "ReportParts",
    "comparison_sentences",
    "evaluate_predictions",
    "flow_facts",
    "page_of",
    "read_history",
    "report_of",
    "write_report",
]
