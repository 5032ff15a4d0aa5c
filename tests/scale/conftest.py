"""One Ray, one tiny untrained model and a few images, one of them broken."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from cxr._io import progress_disabled
from cxr.backbones import Architecture, build_network
from cxr.bundle import BundleConfig, write_bundle
from cxr.find import get_image_files
from cxr.find.phantom import write_phantom
from cxr.scale.cluster import import_ray


@pytest.fixture(scope="session")
def ray_here() -> Iterator[Any]:
    """The module `ray`, connected to two processors and what says it is a GPU, on this machine."""
    pytest.importorskip("ray", reason='needs Ray: pip install "cxr[ray]"')
    ray = import_ray()
    with _its_own_warnings():
        ray.init(
            address="local",
            num_cpus=2,
            num_gpus=1,
            object_store_memory=200_000_000,
            include_dashboard=False,
            log_to_driver=False,
            logging_level="ERROR",
        )
    yield ray
    with _its_own_warnings():
        ray.shutdown()
        gc.collect()  # it leaves processes that end a little later


@contextmanager
def _its_own_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    classes, backbone = ("NORMAL", "PNEUMONIA"), "test_efficientnet"
    network, _ = build_network(Architecture(backbone, 2, 64), None, seed=1)
    config = BundleConfig(
        classes=classes,
        backbone=backbone,
        size=64,
        positive=classes[1],
        training_data={"prevalence": 0.6},
    )
    return write_bundle(tmp_path_factory.mktemp("model") / "model.cxr", network, config)


@pytest.fixture(scope="session")
def films(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Ten, not in the order of their names; the fourth cannot be read."""
    folder = tmp_path_factory.mktemp("images") / "phantom"
    with progress_disabled():
        write_phantom(folder, n_images=9, seed=3, size=64)
    files = list(get_image_files(folder))[::-1]
    broken = folder / "broken.png"
    broken.write_bytes(b"no image")
    return [*files[:3], broken, *files[3:]]
