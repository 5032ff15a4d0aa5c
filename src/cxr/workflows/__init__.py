"""Whole jobs: train a run, evaluate or stress a model file, the demo. Imported when first used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .demo import run_demo
    from .evaluate import evaluate_model
    from .stress import stress_model
    from .train import train_run

_LAZY = {
    "evaluate_model": "evaluate",
    "run_demo": "demo",
    "stress_model": "stress",
    "train_run": "train",
}

__all__ = ["evaluate_model", "run_demo", "stress_model", "train_run"]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_LAZY[name]}", __name__), name)
