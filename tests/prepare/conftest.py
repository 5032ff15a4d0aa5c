"""Small images on disk and in memory; the positive ones are bright at the lower left."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image

from cxr.prepare.image_set import ImageSet

SIDE = 64
CLASSES = ("NORMAL", "PNEUMONIA")


def draw(rng: np.random.Generator, positive: bool) -> np.ndarray:
    grey = rng.integers(60, 120, (SIDE, SIDE), dtype=np.uint8)
    if positive:
        grey[36:, :28] += 100
    return grey


def write_classes(folder: Path, patients: int, seed: int) -> Path:
    """`patients` of each class with two images each, named as the Kermany set names them."""
    rng = np.random.default_rng(seed)
    for positive, name in enumerate(CLASSES):
        (folder / name).mkdir(parents=True)
        for patient in range(patients):
            for number in range(2):
                stem = (
                    f"person{patient}_virus_{number}"
                    if positive
                    else f"IM-{patient:04}-{number:04}"
                )
                image = Image.fromarray(draw(rng, bool(positive)))
                image.save(folder / name / f"{stem}.png")
    return folder


@pytest.fixture(scope="session")
def image_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """48 images of 24 patients in two class folders."""
    return write_classes(tmp_path_factory.mktemp("images"), patients=12, seed=0)


@pytest.fixture(scope="session")
def split_images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`train` and `val`, with class folders in each."""
    folder = tmp_path_factory.mktemp("split images")
    write_classes(folder / "train", patients=4, seed=1)
    write_classes(folder / "val", patients=2, seed=2)
    return folder


@pytest.fixture
def image_set() -> Callable[..., ImageSet]:
    """`n` images in memory; every pixel of image i is i."""

    def make(n: int, targets: np.ndarray | None = None) -> ImageSet:
        pixels = np.broadcast_to(np.arange(n, dtype=np.uint8)[:, None, None], (n, SIDE, SIDE))
        return ImageSet(
            paths=[Path(f"{i}.png") for i in range(n)],
            pixels=pixels,
            targets=np.arange(n) % 2 if targets is None else targets,
            patients=[None] * n,
            classes=CLASSES,
            rows=np.arange(n),
        )

    return make


@pytest.fixture(autouse=True)
def close_figures() -> Iterator[None]:
    mpl.use("Agg")
    yield
    import matplotlib.pyplot as plt

    plt.close("all")
