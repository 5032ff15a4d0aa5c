"""`Path` with fast.ai's `ls`, as the second post uses it. pathlib itself is left alone."""

from __future__ import annotations

import pathlib

from .files import Files


class Path(type(pathlib.Path())):  # type: ignore[misc]
    """`Path.BASE_PATH = Path("./chest_xray_data/")` and `Path.BASE_PATH.ls()` as in the post."""

    BASE_PATH: Path | None = None

    def ls(self) -> Files:
        """What lies in this folder, sorted."""
        return Files(sorted(self.iterdir()))
