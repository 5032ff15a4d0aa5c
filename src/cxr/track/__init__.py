"""A run as it is followed: its log, MLflow and TensorBoard; and the runs there are."""

from .log import LOG, read_log
from .runs import Run, compare_runs, find_runs, sort_runs
from .tracker import RunTracker, check_sinks, complete, tracking

__all__ = [
    "LOG",
    "Run",
    "RunTracker",
    "check_sinks",
    "compare_runs",
    "complete",
    "find_runs",
    "read_log",
    "sort_runs",
    "tracking",
]
