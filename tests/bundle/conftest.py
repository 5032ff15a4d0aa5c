"""A small untrained model and its file: what is tested here does not depend on what it learned."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from cxr.backbones import Architecture, Network, build_network
from cxr.bundle import BundleConfig, write_bundle


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def network() -> Network:
    network, _ = build_network(Architecture("test_efficientnet", 2, 64), weights=None, seed=3)
    with torch.no_grad():
        network.head[2].weight *= 100  # outputs as far apart as those of a trained network
    return network.eval()


@pytest.fixture(scope="session")
def config() -> BundleConfig:
    return BundleConfig(
        classes=("NORMAL", "PNEUMONIA"),
        backbone="test_efficientnet",
        size=64,
        temperature=1.5,
        threshold=0.4,
        positive="PNEUMONIA",
        population="nobody",
        training_data={"n_train": 8, "n_valid": 2, "n_patients": 5, "fingerprint": "abc"},
        weights_source="none",
    )


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory, network: Network, config: BundleConfig) -> Path:
    return write_bundle(tmp_path_factory.mktemp("bundle") / "model.cxr", network, config)
