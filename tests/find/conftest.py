"""Small trees of files: this room looks at names, not at pixels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

Touch = Callable[..., Path]


@pytest.fixture
def touch(tmp_path: Path) -> Touch:
    """`touch("a/1.png", "b/2.png")` writes files whose content is their name; returns the root."""

    def write(*names: str, content: str | None = None) -> Path:
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(name if content is None else content, encoding="utf-8")
        return tmp_path

    return write


@pytest.fixture
def table(tmp_path: Path, touch: Touch) -> Callable[[str], Path]:
    """`table("path,label\\na.png,X\\n")` writes `data.csv` beside a.png, b.png, c.png and d.png."""
    touch("a.png", "b.png", "c.png", "d.png")

    def write(text: str) -> Path:
        path = tmp_path / "data.csv"
        path.write_text(text, encoding="utf-8")
        return path

    return write
