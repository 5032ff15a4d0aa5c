"""Reading `model.cxr`: parse, validate, then construct. Nothing in the file can run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load
from torch import Tensor

from ..backbones import Architecture, Network
from ..errors import BundleError, UsageError
from .config import BundleConfig
from .golden import check_golden
from .members import read_members
from .trust import Trust
from .trust_file import read_trust
from .write import CONFIG, GOLDEN, TRUST, WEIGHTS


@dataclass(frozen=True)
class Bundle:
    """A verified model file: `network` in evaluation mode and its configuration.

    `trust` says when the model should not be asked; None in files that hold nothing about it.
    """

    path: Path
    config: BundleConfig
    network: Network
    trust: Trust | None = None


def read_bundle(path: Path | str) -> Bundle:
    """Raises UsageError when there is no such file, BundleError with the reason when refused."""
    path = Path(path)
    if not path.is_file():
        raise UsageError(f"no model file {path}; train one with: cxr train DATA --run runs/a")
    try:
        members = read_members(path)
        config = BundleConfig.from_json(_utf8(members[CONFIG]))
        network = _network(config, _tensors(members[WEIGHTS]))
        check_golden(network, members[GOLDEN])
        trust = _trust(members.get(TRUST), network, config)
    except BundleError as error:
        raise BundleError(f"{path} is refused: {error}") from error
    return Bundle(path, config, network, trust)


def _trust(data: bytes | None, network: Network, config: BundleConfig) -> Trust | None:
    return None if data is None else read_trust(data, network, config.multi_label)


def _utf8(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BundleError("config.json is not UTF-8; the model file is damaged") from error


def _tensors(data: bytes) -> dict[str, Tensor]:
    try:
        return load(data)
    except Exception as error:  # safetensors and torch raise errors of many kinds for bad headers
        raise BundleError(f"model.safetensors is damaged ({error})") from error


def _network(config: BundleConfig, tensors: dict[str, Tensor]) -> Network:
    shapes = _build(config, "meta")  # takes no memory: a small file may name a huge backbone
    _check_tensors(tensors, shapes.state_dict())
    network = _build(config, "cpu")
    network.load_state_dict(tensors)
    try:
        return network.eval().fold()
    except Exception as error:  # a backbone that takes no images of this size
        raise BundleError(f"self-test failed: the network does not run ({error})") from error


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
