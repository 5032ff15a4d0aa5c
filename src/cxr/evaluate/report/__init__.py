"""The report: one page that opens offline and says first what was found."""

from .page import write_report

__all__ = ["write_report"]
