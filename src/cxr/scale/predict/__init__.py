"""Prediction over millions of images on many machines: Ray Data, with parts that outlive kills."""

from .run import RayOptions, RayResult, is_folder, predict_ray, rows_by_ray
from .storage import list_anywhere

__all__ = ["RayOptions", "RayResult", "is_folder", "list_anywhere", "predict_ray", "rows_by_ray"]
