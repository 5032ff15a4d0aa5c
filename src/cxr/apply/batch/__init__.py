"""Prediction over many files: one row an image, bad files with their reason, the order kept."""

from .formats import FORMATS, check_format, write_rows
from .image_list import ImageList, expand_images, list_images
from .rows import CHUNK, Row, columns_of, predict_chunks, predict_files, predict_rows
from .run import TableResult, predict_table
from .table import ResumableTable

__all__ = [
    "CHUNK",
    "FORMATS",
    "ImageList",
    "ResumableTable",
    "Row",
    "TableResult",
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
