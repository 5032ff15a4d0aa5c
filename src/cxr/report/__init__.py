"""Documents made from numbers: the report, figures, the model card and checklists."""

from .comparison import comparison_sentences
from .content import report_of
from .context import ReportContext, flow_facts, read_history
from .interpretation import ClassificationInterpretation
from .page import page_of, write_report
from .results import MeasureSettings, evaluate_predictions

__all__ = [
    "ClassificationInterpretation",
    "MeasureSettings",
    "ReportContext",
    "comparison_sentences",
    "evaluate_predictions",
    "flow_facts",
    "page_of",
    "read_history",
    "report_of",
    "write_report",
]
