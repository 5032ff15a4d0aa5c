"""The report: one page that opens offline and says first what was found."""

from .answers import trust_facts
from .compose import report_of
from .flow import flow_facts
from .page import page_of, write_report
from .parts import ReportParts, read_history

__all__ = [
    "ReportParts",
    "flow_facts",
    "page_of",
    "read_history",
    "report_of",
    "trust_facts",
    "write_report",
]
