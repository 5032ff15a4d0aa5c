"""NIH ChestX-ray14: `Data_Entry_2017*.csv` above folders of images, with a list of test images.

Source: Wang et al., ChestX-ray8, CVPR 2017.
"""

from __future__ import annotations

from pathlib import Path

from ...config import ManifestOptions
from .base import LayoutTable
from .table import from_frame
from .table_file import read_frame

TABLE = "Data_Entry_2017*.csv"
TEST_LIST = "test_list.txt"
IMAGE = "Image Index"


def recognises(data: Path, options: ManifestOptions) -> bool:
    return any(data.glob(TABLE))


def read(data: Path, options: ManifestOptions) -> LayoutTable:
    """The official test images get the split `test`; the others have none."""
    table = min(data.glob(TABLE))
    frame = read_frame(table)
    test_list = data / TEST_LIST
    if test_list.is_file() and IMAGE in frame:
        is_test = frame[IMAGE].isin(test_list.read_text(encoding="utf-8", errors="replace").split())
        frame = frame.assign(split=is_test.map({True: "test", False: None}))
    return from_frame(frame, table, options)
