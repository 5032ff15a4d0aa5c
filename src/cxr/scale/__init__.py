"""The same jobs on many machines, through Ray."""

from .predict import predict_ray

__all__ = ["predict_ray"]
