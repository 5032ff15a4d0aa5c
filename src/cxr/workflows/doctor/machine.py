"""What is on this machine, what is missing, and how to get it."""

from __future__ import annotations

import importlib.util
from typing import Any

from ..._io import cache_dir
from ...errors import WeightsError
from ...track.environment import versions

EXTRAS = {"kagglehub": "kaggle", "ray": "ray"}


def diagnose() -> dict[str, Any]:
    """Plain facts by name, for people and machines."""
    facts: dict[str, Any] = {
        name: version or f"missing; run: pip install {name}" for name, version in versions().items()
    }
    if is_installed("torch") and is_installed("timm"):
        facts |= _training()
    else:
        facts["training"] = 'not possible: torch is missing; run: pip install "cxr[train]"'
    for module, extra in EXTRAS.items():
        here = is_installed(module)
        facts[module] = "installed" if here else f'not installed; run: pip install "cxr[{extra}]"'
    facts["Kaggle login"] = _kaggle_login()
    facts["cache folder"] = str(cache_dir())
    return facts


def is_installed(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def _training() -> dict[str, Any]:
    import torch

    from ...backbones import has_bf16
    from ...train.device import choose_device

    device = choose_device("auto")
    facts: dict[str, Any] = {"device": str(device)}
    if device.type == "cuda":
        facts["gpu"] = torch.cuda.get_device_name(device)
    facts["threads"] = torch.get_num_threads()
    facts["bf16"] = "yes, training uses it" if has_bf16(device) else "no, training runs in fp32"
    facts["efficientnet_lite0 weights"] = _packaged_weights()
    facts["other weights"] = "downloaded at first use, or give a local file with --weights"
    return facts


def _packaged_weights() -> str:
    from ...backbones.weights import packaged_file

    try:
        return f"packaged, whole ({packaged_file().name})"
    except WeightsError as error:
        return str(error)


def _kaggle_login() -> str:
    from ...find.kaggle import credentials

    return credentials() or "none found; cxr fetch kermany OUT explains how to get one"
