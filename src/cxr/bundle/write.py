"""Writing `model.cxr`: one uncompressed zip, the same bytes for the same model."""

from __future__ import annotations

import zipfile
from pathlib import Path

from safetensors.torch import save

from .._io import atomic_path
from ..backbones import Network
from .card import model_card
from .config import BundleConfig
from .golden import golden_bytes
from .trust import Trust
from .trust_file import trust_bytes

SUFFIX = ".cxr"
WEIGHTS, CONFIG, CARD, GOLDEN = "model.safetensors", "config.json", "README.md", "golden.npz"
TRUST = "trust.npz"
EPOCH = (1980, 1, 1, 0, 0, 0)  # no time stamp: equal models are equal files


def write_bundle(
    path: Path | str, network: Network, config: BundleConfig, trust: Trust | None = None
) -> Path:
    """Writes whole or not at all. Raises StorageError when the disk is full or read-only.

    `trust` says when the model should not be asked; without it, it says nothing about that.
    """
    path = Path(path)
    tensors = {
        name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()
    }
    members = {
        CONFIG: config.to_json().encode(),
        CARD: model_card(config).encode(),
        GOLDEN: golden_bytes(network),
        WEIGHTS: save(tensors),
    }
    if trust is not None:
        members[TRUST] = trust_bytes(trust)
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name, EPOCH), data)
    return path
