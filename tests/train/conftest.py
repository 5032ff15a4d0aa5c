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
from cxr.prepare import DataLoaders
from cxr.train import Learner, error_rate, vision_learner
from helpers.memory_data import SMALL, loaders, two_labels

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


@pytest.fixture
def dls() -> DataLoaders:
    """Seven batches of eight to train on, two to validate; 32 px, NORMAL and PNEUMONIA."""
    return loaders(("NORMAL", "PNEUMONIA"), lambda positive: positive)


@pytest.fixture
def three_class_dls() -> DataLoaders:
    return loaders(
        ("bacteria", "normal", "virus"),
        lambda positive: positive * (1 + np.arange(len(positive)) % 4 // 2),
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
