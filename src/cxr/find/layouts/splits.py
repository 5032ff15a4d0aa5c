"""Folders of a split with class folders inside: `train/NORMAL/a.png`, `val/PNEUMONIA/b.png`."""

from __future__ import annotations

import os
from pathlib import Path

from ..._io import say
from ...config import ManifestOptions
from ..files import entries_of, is_own_folder
from .base import SPLIT_NAMES, LayoutTable
from .folders import image_parts

DEPTH = 3  # chest_xray/chest_xray/train is the deepest that is met in practice


def recognises(data: Path, options: ManifestOptions) -> bool:
    return data.is_dir() and _has_training_folder(data, DEPTH, options.follow_links)


def read(data: Path, options: ManifestOptions) -> LayoutTable:
    """`split` is train, valid or test; the class is the folder just inside."""
    import pandas as pd

    names = image_parts(data, options.follow_links)
    rows = [row for parts in names if (row := _row(parts)) is not None]
    if len(rows) < len(names):
        say(f"left out {len(names) - len(rows):,} images outside the split folders of {data}")
    return LayoutTable(pd.DataFrame(rows, columns=["path", "label", "split"]), data)


def _row(parts: tuple[str, ...]) -> tuple[str, str, str] | None:
    for index, part in enumerate(parts[:-2]):
        if part.lower() in SPLIT_NAMES:
            return "/".join(parts), parts[index + 1], SPLIT_NAMES[part.lower()]
    return None


def _has_training_folder(folder: Path, depth: int, follow: bool) -> bool:
    """Whether a folder that means "train" has a folder inside, at most `depth` levels down."""
    inside = _subfolders(folder, follow)
    named = (path for path in inside if SPLIT_NAMES.get(path.name.lower()) == "train")
    if any(_subfolders(path, follow) for path in named):
        return True
    return depth > 1 and any(_has_training_folder(path, depth - 1, follow) for path in inside)


def _subfolders(folder: Path, follow: bool) -> list[Path]:
    is_folder = os.DirEntry.is_dir if follow else is_own_folder
    return [Path(entry.path) for entry in entries_of(folder) if is_folder(entry)]
