"""Whole jobs: train a run, evaluate or stress a model file, the demo. Imported when first used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._io.lazy import lazy_names

if TYPE_CHECKING:
    from .demo import run_demo
    from .evaluate import evaluate_model
    from .stress import stress_model
    from .train import train_run

__getattr__ = lazy_names(
    __name__,
    {
        "evaluate_model": "evaluate",
        "run_demo": "demo",
        "stress_model": "stress",
        "train_run": "train",
    },
)

__all__ = ["evaluate_model", "run_demo", "stress_model", "train_run"]
