"""Small data sets for the checks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cxr.check.scan import Scan, scan
from cxr.find import read_manifest

Films = Callable[..., Path]


@pytest.fixture
def films(tmp_path: Path) -> Films:
    """`films("A/1.png", "B/2.png")` writes noise, different in each file, and gives the folder."""
    rng = np.random.default_rng(5)

    def write(*names: str, side: int = 32) -> Path:
        for name in names:
            path = tmp_path / "data" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, 256, (side, side), dtype=np.uint8)).save(path)
        return tmp_path / "data"

    return write


@pytest.fixture
def scan_of() -> Callable[..., Scan]:
    return lambda data, **options: scan(read_manifest(data, **options), workers=2)
