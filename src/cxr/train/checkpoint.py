"""Weights and training state on disk: safetensors files with readable facts in their headers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from .._io import atomic_path
from ..errors import BundleError, UsageError


def write_tensors(path: Path, tensors: Mapping[str, Tensor], facts: Mapping[str, str]) -> Path:
    """Writes whole or not at all. Raises StorageError when the disk is full or read-only."""
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with atomic_path(path) as temporary:
        # save_file has an error of its own for a full disk, and makes files only their owner reads.
        temporary.write_bytes(save(plain, metadata=dict(facts)))
    return path


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Raises UsageError when there is no file, BundleError when it is damaged."""
    if not path.is_file():
        near = sorted(p.stem for p in path.parent.glob("*.safetensors"))
        raise UsageError(f"no saved weights {path}; there are: {', '.join(near) or 'none'}")
    try:
        with safe_open(path, framework="pt") as file:
            names = file.keys()
            return {name: file.get_tensor(name) for name in names}, file.metadata() or {}
    except SafetensorError as error:
        raise BundleError(f"{path} is damaged ({error}); train again or take another") from error


def save_weights(model: nn.Module, path: Path, facts: Mapping[str, str]) -> Path:
    return write_tensors(path, model.state_dict(), facts)


def load_weights(model: nn.Module, path: Path, facts: Mapping[str, str]) -> None:
    """Into `model`, in place. Every fact given must stand in the file with the same value."""
    tensors, found = read_tensors(path)
    for name, wanted in facts.items():
        if found.get(name) != wanted:
            raise BundleError(f"{path} is for {name} {found.get(name)}, this learner has {wanted}")
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        raise BundleError(f"{path} holds the weights of another network") from error


def save_training(
    model: nn.Module, optimizer: torch.optim.Optimizer, path: Path, facts: Mapping[str, Any]
) -> Path:
    """Weights, the optimizer's moments, and `facts` (as JSON): enough to continue exactly."""
    tensors = {f"model/{name}": tensor for name, tensor in model.state_dict().items()}
    state = optimizer.state_dict()
    for index, moments in state["state"].items():
        tensors |= {f"optimizer/{index}/{name}": value for name, value in moments.items()}
    return write_tensors(path, tensors, {"facts": json.dumps(facts)})


def load_training(path: Path) -> tuple[dict[str, Tensor], dict[int, dict[str, Tensor]], Any]:
    """(weights, optimizer moments by parameter number, facts) of what `save_training` wrote."""
    tensors, found = read_tensors(path)
    weights: dict[str, Tensor] = {}
    moments: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        kind, _, name = key.partition("/")
        if kind == "model":
            weights[name] = tensor
        else:
            index, _, name = name.partition("/")
            moments.setdefault(int(index), {})[name] = tensor
    return weights, moments, json.loads(found.get("facts", "{}"))
