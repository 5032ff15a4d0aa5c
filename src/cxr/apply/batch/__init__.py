"""Prediction over many files: one row an image, bad files with their reason, the order kept."""

from .formats import FORMATS, check_format, write_rows
from .listing import ImageList, expand_images, list_images
from .rows import CHUNK, Row, columns_of, predict_chunks, predict_files, predict_rows
from .run import Done, predict_table
from .table import GrowingTable

__all__ = [
    "CHUNK",
    "FORMATS",
    "Done",
    "GrowingTable",
    "ImageList",
    "Row",
    "check_format",
    "columns_of",
    "expand_images",
    "list_images",
    "predict_chunks",
    "predict_files",
    "predict_rows",
    "predict_table",
    "write_rows",
]
