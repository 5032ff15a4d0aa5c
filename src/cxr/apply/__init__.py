"""Predictions from a model file, for one image or many."""

from .batch import expand_images, predict_files, write_rows
from .predictor import Predictor, load_learner

__all__ = ["Predictor", "expand_images", "load_learner", "predict_files", "write_rows"]
