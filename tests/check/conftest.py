"""Small data sets for the checks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cxr.check.scan import SIDE, FileFacts, Scan, scan
from cxr.find import Manifest, read_manifest
from cxr.find.phantom import write_phantom
from cxr.pixels import WHOLE, LungFrame, StoredFacts
from helpers.images import NoiseImages


@pytest.fixture
def images(tmp_path: Path) -> NoiseImages:
    return NoiseImages(tmp_path / "data")


@pytest.fixture
def scan_of() -> Callable[..., Scan]:
    return lambda data, **options: scan(read_manifest(data, **options), workers=2)


@pytest.fixture(scope="session")
def phantom_scan(tmp_path_factory: pytest.TempPathFactory) -> Scan:
    """160 synthetic images of two classes, read once. Nothing in it may be changed."""
    folder = write_phantom(tmp_path_factory.mktemp("check") / "phantom", n_images=160, size=128)
    return scan(read_manifest(folder), workers=2)


@pytest.fixture
def made_scan() -> Callable[..., Scan]:
    """A scan without files: `made_scan(labels, squares=, files=, patients=, frames=, ...)`."""

    def make(
        labels: Sequence[str] | dict[str, Sequence[float]],
        *,
        squares: np.ndarray | None = None,
        files: Sequence[FileFacts] | None = None,
        patients: Sequence[str] | None = None,
        frames: Sequence[LungFrame] | None = None,
        **columns: Sequence[object],
    ) -> Scan:
        multi = isinstance(labels, dict)
        n = len(next(iter(labels.values()))) if isinstance(labels, dict) else len(labels)
        table = pd.DataFrame({"path": [f"{i}.png" for i in range(n)]})
        table["patient"] = list(patients) if patients is not None else [f"p{i}" for i in range(n)]
        for name, values in labels.items() if isinstance(labels, dict) else [("label", labels)]:
            table[name] = list(values)
        for name, values in columns.items():
            table[name] = list(values)
        classes = tuple(labels) if multi else tuple(sorted(set(labels)))
        if squares is None:
            squares = np.zeros((n, SIDE, SIDE), np.uint8)
        if files is None:
            files = [FileFacts(1000, 300, 300, str(i), stored=StoredFacts("png")) for i in range(n)]
        manifest = Manifest(table, Path("nowhere"), classes, multi, "")
        return Scan(manifest, files, squares, frames or [WHOLE] * n, squares)

    return make
