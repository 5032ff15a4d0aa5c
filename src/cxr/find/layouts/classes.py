"""One folder for each class: `NORMAL/a.png`, `PNEUMONIA/b.png`."""

from __future__ import annotations

from pathlib import Path

from ..._io import say
from ...config import ManifestOptions
from .base import LayoutTable
from .folders import image_parts, wrapping_folders


def recognises(data: Path, options: ManifestOptions) -> bool:
    return data.is_dir()


def read(data: Path, options: ManifestOptions) -> LayoutTable:
    """The class is the topmost folder that not all images share.

    Images that lie beside class folders are left out, with a line; where no folder holds images,
    the label is not known.
    """
    import pandas as pd

    names = image_parts(data, options.follow_links)
    depth = wrapping_folders(names)
    inside = [parts for parts in names if len(parts) > depth + 1]
    if inside and len(inside) < len(names):
        say(f"left out {len(names) - len(inside):,} images that lie in no class folder of {data}")
    rows = inside or names
    labels = [parts[depth] if inside else None for parts in rows]
    paths = ["/".join(parts) for parts in rows]
    return LayoutTable(pd.DataFrame({"path": paths, "label": labels}), data)
