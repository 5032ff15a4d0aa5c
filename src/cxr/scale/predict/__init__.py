"""Prediction over millions of images on many machines: Ray Data, with parts that outlive kills."""

from .run import Options, RayDone, is_folder, predict_ray, rows_by_ray
from .storage import list_anywhere

__all__ = ["Options", "RayDone", "is_folder", "list_anywhere", "predict_ray", "rows_by_ray"]
