"""Many settings tried, one chosen on inner images, and measured once on outer ones."""

from .plan import Sweep
from .run import run_sweep
from .trials import TrialRunner

__all__ = ["Sweep", "TrialRunner", "run_sweep"]
