"""A small model file of an untrained network."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from cxr.backbones import Architecture, build_network
from cxr.bundle import BundleConfig, write_bundle


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    network, _ = build_network(Architecture("test_efficientnet", 2, 64), weights=None, seed=3)
    config = BundleConfig(("NORMAL", "PNEUMONIA"), "test_efficientnet", 64)
    return write_bundle(tmp_path_factory.mktemp("doctor") / "model.cxr", network, config)
