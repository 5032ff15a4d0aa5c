"""Predictions from a model file, for one image or many.

Names are imported when they are first used, so that a server does not wait for what it leaves out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._io.lazy import lazy_names

if TYPE_CHECKING:
    from .batch import expand_images, predict_files, write_rows
    from .decision.prediction import Prediction
    from .predictor import Predictor, load_learner, load_predictor

__getattr__ = lazy_names(
    __name__,
    {
        "Prediction": "decision.prediction",
        "Predictor": "predictor",
        "expand_images": "batch",
        "load_learner": "predictor",
        "load_predictor": "predictor",
        "predict_files": "batch",
        "write_rows": "batch",
    },
)

__all__ = [
    "Prediction",
    "Predictor",
    "expand_images",
    "load_learner",
    "load_predictor",
    "predict_files",
    "write_rows",
]
