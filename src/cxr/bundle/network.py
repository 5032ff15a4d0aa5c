"""The network of a model file, built from its configuration and its weights."""

from __future__ import annotations

import torch
from safetensors.torch import load
from torch import Tensor

from ..backbones import Architecture, Network
from ..errors import BundleError
from .config import BundleConfig


def network_from(config: BundleConfig, weights: bytes) -> Network:
    """In evaluation mode. `weights` is a file in safetensors' format.

    Raises BundleError when the backbone cannot be built or the weights are not its own, or not
    finite.
    """
    tensors = _tensors(weights)
    shapes = _build(config, "meta")  # takes no memory: a small file may name a huge backbone
    _check_tensors(tensors, shapes.state_dict())
    network = _build(config, "cpu")
    network.load_state_dict(tensors)
    try:
        return network.eval().fold()
    except Exception as error:  # a backbone that takes no images of this size
        raise BundleError(f"self-test failed: the network does not run ({error})") from error


def _tensors(data: bytes) -> dict[str, Tensor]:
    try:
        return load(data)
    except Exception as error:  # safetensors and torch raise errors of many kinds for bad headers
        raise BundleError(f"model.safetensors is damaged ({error})") from error


def _build(config: BundleConfig, device: str) -> Network:
    architecture = Architecture(config.backbone, len(config.classes), config.size, config.dropout)
    try:
        with torch.device(device):
            return Network(architecture)
    except Exception as error:  # timm raises errors of many kinds for what it cannot build
        raise BundleError(f"backbone {config.backbone!r} cannot be built ({error})") from error


def _check_tensors(tensors: dict[str, Tensor], wanted: dict[str, Tensor]) -> None:
    if set(wanted) != set(tensors):
        raise BundleError("its weights are not those of the backbone that it names")
    for name, tensor in tensors.items():
        if tensor.shape != wanted[name].shape or tensor.dtype != wanted[name].dtype:
            raise BundleError(
                f"{name} is {tuple(tensor.shape)} {tensor.dtype}, expected "
                f"{tuple(wanted[name].shape)} {wanted[name].dtype}"
            )
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            raise BundleError(f"{name} holds values that are not finite")
