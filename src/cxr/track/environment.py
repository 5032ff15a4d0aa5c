"""What a result was made with: versions, processor, device. No names of people or machines."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from typing import Any

from ..pixels.frame import locator_version

PACKAGES = (
    "cxr",
    "torch",
    "torchvision",
    "timm",
    "numpy",
    "pandas",
    "pillow",
    "simplejpeg",
    "pydicom",
    "scikit-learn",
    "safetensors",
    "onnxruntime",
    "cryptography",
)


def versions() -> dict[str, str | None]:
    """Installed versions; None for what is missing."""
    found: dict[str, str | None] = {}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = None
    return found


def environment(device: object, processes: int = 1) -> dict[str, Any]:
    """For `environment.json`."""
    import torch

    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processors": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "device": str(device),
        "training_processes": processes,
        "lung_locator": locator_version(),
        "versions": versions(),
    }
