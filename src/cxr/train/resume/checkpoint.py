"""Weights and training state on disk: safetensors files with readable facts in their headers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from ..._io import atomic_path
from ..._io.files import to_disk
from ...errors import BundleError, UsageError
from ..recorder import StepRecord
from .snapshot import Moments, Snapshot

PLACE = {name: name for name in ("phase", "epoch", "step", "seconds")} | {"micro_batches": "parts"}
"""Attributes of a snapshot, with their names in the file."""

RECORD = ("values", "times", "epoch_ends")
SHA256 = "sha256"  # of all else in the file, among its facts


def write_tensors(
    path: Path,
    tensors: Mapping[str, Tensor],
    facts: Mapping[str, str],
    previous: Path | None = None,
) -> Path:
    """Writes whole or not at all, on the disk itself; what was there becomes `previous`.

    Raises StorageError when the disk is full or read-only.
    """
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    facts = {**facts, SHA256: digest(plain, facts)}
    with atomic_path(path) as temporary:
        # save_file has an error of its own for a full disk, and makes files only their owner reads.
        temporary.write_bytes(save(plain, metadata=facts))
        to_disk(temporary)
        if previous is not None and path.exists():
            path.replace(previous)
    to_disk(path.parent)
    return path


def digest(tensors: Mapping[str, Tensor], facts: Mapping[str, str]) -> str:
    """SHA-256 of names, types, shapes and contents, in the order of names, and of the facts."""
    sha256 = hashlib.sha256(json.dumps(dict(sorted(facts.items()))).encode())
    for name, tensor in sorted(tensors.items()):
        sha256.update(f"{name} {tensor.dtype} {list(tensor.shape)};".encode())
        sha256.update(tensor.contiguous().view(-1).view(torch.uint8).numpy().data)
    return sha256.hexdigest()


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Raises UsageError when there is no file, BundleError when it is damaged."""
    if not path.is_file():
        near = sorted(p.stem for p in path.parent.glob("*.safetensors"))
        raise UsageError(f"no saved weights {path}; there are: {', '.join(near) or 'none'}")
    try:
        with safe_open(path, framework="pt") as file:
            names = file.keys()
            tensors = {name: file.get_tensor(name) for name in names}
            facts = dict(file.metadata() or {})
    except SafetensorError as error:
        raise BundleError(f"{path} is damaged ({error}); train again or take another") from error
    wanted = facts.pop(SHA256, None)
    if wanted is not None and wanted != digest(tensors, facts):
        raise BundleError(f"{path} is damaged (SHA-256 differs); train again or take another")
    return tensors, facts


def save_weights(model: nn.Module, path: Path, facts: Mapping[str, str]) -> Path:
    return write_tensors(path, model.state_dict(), facts)


def load_weights(model: nn.Module, path: Path, facts: Mapping[str, str]) -> None:
    """Into `model`, in place. Every fact given must stand in the file with the same value."""
    tensors, own = read_tensors(path)
    for name, wanted in facts.items():
        if own.get(name) != wanted:
            raise BundleError(f"{path} is for {name} {own.get(name)}, this learner has {wanted}")
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        raise BundleError(f"{path} holds the weights of another network") from error


def save_training(
    snapshot: Snapshot, path: Path, facts: Mapping[str, Any], previous: Path | None = None
) -> Path:
    """The snapshot of a run and `facts` (as JSON): enough to continue exactly."""
    tensors = {f"model/{name}": tensor for name, tensor in snapshot.weights.items()}
    for index, moments in snapshot.moments.items():
        tensors |= {f"optimizer/{index}/{name}": value for name, value in moments.items()}
    tensors |= {f"random/{device}": value for device, value in snapshot.random.items()}
    tensors |= {f"images/{split}": sums for split, sums in snapshot.images.items()}
    tensors["record/steps"] = torch.from_numpy(snapshot.record.steps)
    known: dict[str, Any] = {key: getattr(snapshot, name) for name, key in PLACE.items()}
    known["record"] = {name: getattr(snapshot.record, name) for name in RECORD}
    return write_tensors(path, tensors, {"facts": json.dumps({**known, **facts})}, previous)


def load_training(path: Path) -> tuple[Snapshot, dict[str, Any]]:
    """What `save_training` wrote. Raises BundleError for a file that is damaged or another's."""
    tensors, header = read_tensors(path)
    moments: Moments = {}
    for key, tensor in _under("optimizer/", tensors).items():
        index, _, name = key.partition("/")
        moments.setdefault(int(index), {})[name] = tensor
    try:
        facts = json.loads(header["facts"])
        record = StepRecord(tensors["record/steps"].numpy(), **facts["record"])
        place = {name: facts[key] for name, key in PLACE.items()}
    except (KeyError, TypeError) as error:
        raise BundleError(f"{path} is no state of a training run; train in a new folder") from error
    snapshot = Snapshot(
        **place,
        weights=_under("model/", tensors),
        moments=moments,
        record=record,
        random=_under("random/", tensors),
        images=_under("images/", tensors),
    )
    return snapshot, facts


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
