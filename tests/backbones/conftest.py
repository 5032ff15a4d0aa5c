"""Small networks, and weights in timm's naming on disk."""

from __future__ import annotations

from pathlib import Path

import pytest
import timm
import torch
from torch import Tensor

from cxr.backbones import Architecture, Network, build_network

SMALL = "test_resnet"


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def lite0() -> tuple[Network, str]:
    """EfficientNet-Lite0 with its packaged weights, and where they are from."""
    network, source = build_network(Architecture("efficientnet_lite0", n_classes=2, size=64))
    return network.eval(), source


@pytest.fixture(scope="session")
def small_tensors() -> dict[str, Tensor]:
    """A whole timm model, its classifier too, filled with random numbers."""
    torch.manual_seed(1)
    return timm.create_model(SMALL).state_dict()


@pytest.fixture
def small(small_tensors: dict[str, Tensor]) -> Architecture:
    return Architecture(SMALL, n_classes=3, size=64)


@pytest.fixture
def pth(tmp_path: Path, small_tensors: dict[str, Tensor]) -> Path:
    torch.save(small_tensors, tmp_path / "small.pth")
    return tmp_path / "small.pth"
