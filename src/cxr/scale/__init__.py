"""The same jobs on many machines, through Ray. Training is `scale.train`: it needs torch."""

from .predict import RayOptions, RayResult, is_folder, list_anywhere, predict_ray, rows_by_ray

__all__ = ["RayOptions", "RayResult", "is_folder", "list_anywhere", "predict_ray", "rows_by_ray"]
