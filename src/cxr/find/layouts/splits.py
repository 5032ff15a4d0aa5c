"""Folders of a split with class folders inside: `train/NORMAL/a.png`, `val/PNEUMONIA/b.png`."""

from __future__ import annotations

from pathlib import Path

from ..._io import say
from ...config import ManifestOptions
from ..files import entries_of, is_own_folder
from .base import SPLIT_NAMES, LayoutTable
from .folders import image_parts

DEPTH = 3  # chest_xray/chest_xray/train is the deepest that is met in practice


def recognises(data: Path) -> bool:
    return data.is_dir() and _has_training_folder(data, DEPTH)


def read(data: Path, options: ManifestOptions) -> LayoutTable:
    """`split` is train, valid or test; the class is the folder just inside."""
    import pandas as pd

    names = image_parts(data)
    rows = [row for parts in names if (row := _row(parts)) is not None]
    if len(rows) < len(names):
        say(f"left out {len(names) - len(rows):,} images outside the split folders of {data}")
    return LayoutTable(pd.DataFrame(rows, columns=["path", "label", "split"]), data)


def _row(parts: tuple[str, ...]) -> tuple[str, str, str] | None:
    for index, part in enumerate(parts[:-2]):
        if part.lower() in SPLIT_NAMES:
            return "/".join(parts), parts[index + 1], SPLIT_NAMES[part.lower()]
    return None


def _has_training_folder(folder: Path, depth: int) -> bool:
    """Whether a folder that means "train" has a folder inside, at most `depth` levels down."""
    inside = _subfolders(folder)
    if any(SPLIT_NAMES.get(path.name.lower()) == "train" and _subfolders(path) for path in inside):
        return True
    return depth > 1 and any(_has_training_folder(path, depth - 1) for path in inside)


def _subfolders(folder: Path) -> list[Path]:
    return [Path(entry.path) for entry in entries_of(folder) if is_own_folder(entry)]
