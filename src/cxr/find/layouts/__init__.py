"""How data sets lie on a disk: one module for each layout, tried in the order of `LAYOUTS`.

A layout is a module with `recognises(folder, options)` and `read(folder, options)`; a new one is a
new file and a line in `LAYOUTS`.
"""

from __future__ import annotations

from pathlib import Path

from ...config import ManifestOptions
from ...errors import UnknownName, UsageError
from ..files import missing_folder
from . import chexpert, classes, mimic, nih, splits, table
from .base import Layout, LayoutTable

# The most particular first: class folders recognise every folder.
LAYOUTS: dict[str, Layout] = {
    "table": table,
    "mimic": mimic,
    "chexpert": chexpert,
    "nih": nih,
    "splits": splits,
    "classes": classes,
}
WITHOUT_TABLE = ("splits", "classes")


def read_layout(data: Path, options: ManifestOptions) -> LayoutTable:
    """What the named layout, or with "auto" the first that recognises `data`, finds there.

    Raises UsageError when there is nothing at `data`, it is of another kind than the layout, or
    `options` name columns of a table and there is none.
    """
    layout = options.layout
    if layout != "auto" and layout not in LAYOUTS:
        raise UnknownName("layout", layout, ["auto", *LAYOUTS])
    if not data.exists():
        raise missing_folder(data)
    if data.is_file():
        if layout not in ("auto", "table"):
            raise UsageError(f"the layout {layout!r} needs a folder, but {data} is a file")
        layout = "chexpert" if layout == "auto" and chexpert.recognises(data, options) else "table"
    if layout == "auto":
        layout = next(name for name, module in LAYOUTS.items() if module.recognises(data, options))
    if layout in WITHOUT_TABLE and options.describes_a_table:
        raise UsageError(
            f"{data} is a folder without a table, so columns and an image root mean nothing for "
            "it; give the table (.csv, .tsv, .parquet) instead of the folder"
        )
    return LAYOUTS[layout].read(data, options)


__all__ = ["LAYOUTS", "Layout", "LayoutTable", "read_layout"]
