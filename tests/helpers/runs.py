"""Settings of a run that takes seconds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cxr.config import RunConfig


def small_run(data: Path, **changes: Any) -> RunConfig:
    """Random weights at 64 pixels of whole images, in full precision and without heat maps."""
    settings: dict[str, Any] = {
        "backbone": "test_efficientnet",
        "weights": None,
        "size": 64,
        "frame": "whole",
        "batch_size": 16,
        "precision": "fp32",
        "explain": False,
    }
    return RunConfig(data=str(data), **{**settings, **changes})
