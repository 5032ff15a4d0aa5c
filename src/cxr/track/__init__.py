"""What happens in a run, told: its log, MLflow and TensorBoard, and the runs there are."""

from .compare import compare_runs
from .log import LOG, read_log
from .runs import Run, find_runs, sort_runs
from .sinks import check_sinks
from .track import Track, complete, tracking

__all__ = [
    "LOG",
    "Run",
    "Track",
    "check_sinks",
    "compare_runs",
    "complete",
    "find_runs",
    "read_log",
    "sort_runs",
    "tracking",
]
