"""A data set in memory and learners on a network so small that a step takes milliseconds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file

from cxr._io import progress_disabled
from cxr.prepare import DataLoaders, Resize
from cxr.prepare.batches import Batches, ImageSet
from cxr.prepare.loaders import Items
from cxr.train import Learner, error_rate, vision_learner

SIDE, BS = 32, 8
N_TRAIN, N_VALID = 7 * BS, 16
SMALL = "test_resnet"

MakeLearner = Callable[..., Learner]


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with progress_disabled():
        yield


@pytest.fixture(autouse=True)
def close_figures() -> Iterator[None]:
    mpl.use("Agg")
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


def films(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Noise, bright at the lower left in the ill half: (n, H, W) uint8 and classes (n,)."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(40, 140, (n, SIDE, SIDE), dtype=np.uint8)
    ill = np.arange(n) % 2
    pixels[ill == 1, SIDE // 2 :, : SIDE // 2] += 60
    return pixels, ill


def loaders(classes: tuple[str, ...], label: Callable[[np.ndarray], np.ndarray]) -> DataLoaders:
    """`label` makes targets of whether each image is ill."""
    n = N_TRAIN + N_VALID
    pixels, ill = films(n, seed=0)
    targets = label(ill)
    paths = [Path(f"{i}.png") for i in range(n)]
    patients = [f"p{i // 2}" for i in range(n)]

    def side(rows: np.ndarray) -> ImageSet:
        of_side = ([some[i] for i in rows] for some in (paths, patients))
        side_paths, side_patients = of_side
        return ImageSet(side_paths, pixels, targets[rows], side_patients, classes, rows)

    rows = np.arange(n)
    return DataLoaders(
        train=Batches(side(rows[:N_TRAIN]), BS, shuffle=True),
        valid=Batches(side(rows[N_TRAIN:]), BS),
        items=Items(paths, targets, classes, patients),
        resize=Resize(SIDE),
        unreadable={},
        seed=42,
    )


def two_labels(ill: np.ndarray) -> np.ndarray:
    """Ill, and bright or not by chance; every fifth entry of the second is unknown."""
    targets = np.stack([ill, np.arange(len(ill)) // 2 % 2], axis=1).astype(np.float32)
    targets[::5, 1] = np.nan
    return targets


@pytest.fixture
def dls() -> DataLoaders:
    """Seven batches of eight to train on, two to validate; 32 px, NORMAL and PNEUMONIA."""
    return loaders(("NORMAL", "PNEUMONIA"), lambda ill: ill)


@pytest.fixture
def three_class_dls() -> DataLoaders:
    return loaders(
        ("bacteria", "normal", "virus"), lambda ill: ill * (1 + np.arange(len(ill)) % 4 // 2)
    )


@pytest.fixture
def multi_label_dls() -> DataLoaders:
    return loaders(("Opacity", "Nodule"), two_labels)


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of the small backbone, so that learners count as pretrained."""
    torch.manual_seed(1)
    file = tmp_path_factory.mktemp("weights") / "small.safetensors"
    save_file(timm.create_model(SMALL, num_classes=0).state_dict(), file)
    return file


@pytest.fixture
def make_learner(dls: DataLoaders, weights: Path, tmp_path: Path) -> MakeLearner:
    """`make_learner(**options)` on `dls`, pretrained, in fp32 on the CPU."""

    def make(data: DataLoaders = dls, **options: Any) -> Learner:
        settled = {
            "weights": weights,
            "metrics": error_rate,
            "device": "cpu",
            "precision": "fp32",
            "path": tmp_path,
        }
        return vision_learner(data, SMALL, **settled | options)

    return make
