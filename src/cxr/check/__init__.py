"""Step 2: what is wrong with the data: findings."""

from .checks.unreadable import find_unreadable, verify_images
from .finding import Finding, summary
from .page import write_findings
from .result import CheckResult, DataFacts
from .run import check_data, inspect_data

__all__ = [
    "CheckResult",
    "DataFacts",
    "Finding",
    "check_data",
    "find_unreadable",
    "inspect_data",
    "summary",
    "verify_images",
    "write_findings",
]
