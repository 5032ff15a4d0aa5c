"""Tiny untrained models, written and read as real ones are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from cxr.backbones import Architecture, build_network
from cxr.bundle import BundleConfig, write_bundle

SIZE = 64
WriteModel = Callable[..., Path]


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def write_model(tmp_path: Path) -> WriteModel:
    """`write_model(backbone=, classes=, ...)` -> a `model.cxr` of random weights."""

    def write(
        backbone: str = "test_efficientnet",
        classes: tuple[str, ...] = ("NORMAL", "PNEUMONIA"),
        name: str = "model.cxr",
        **config: Any,
    ) -> Path:
        network, source = build_network(Architecture(backbone, len(classes), SIZE), None, seed=1)
        facts = {"temperature": 1.7, "threshold": 0.4, "weights_source": source, **config}
        if len(classes) == 2 and not facts.get("multi_label"):
            facts.setdefault("positive", classes[1])
        settings = BundleConfig(classes=classes, backbone=backbone, size=SIZE, **facts)
        return write_bundle(tmp_path / name, network, settings)

    return write


@pytest.fixture
def tiny_model(write_model: WriteModel) -> Path:
    """Two classes, 64 pixels, a convolutional body."""
    return write_model()


@pytest.fixture(scope="session")
def films(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Six phantom images, JPEG, PNG and DICOM."""
    from cxr._io import progress_disabled
    from cxr.find import get_image_files
    from cxr.find.phantom import write_phantom

    folder = tmp_path_factory.mktemp("images") / "phantom"
    with progress_disabled():
        write_phantom(folder, n_images=6, seed=3, format="mixed", size=96)
    return list(get_image_files(folder))
