"""Writing `model.cxr`: one uncompressed zip, the same bytes for the same model."""

from __future__ import annotations

import zipfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from .._io import atomic_path, say
from ..errors import UsageError
from .abstention import AbstentionRules
from .abstention_file import abstention_bytes
from .card import model_card
from .config import BundleConfig
from .format import CARD, CONFIG, GOLDEN, MANIFEST, REQUIRED, SIGNATURE, TRUST, WEIGHTS
from .golden import golden_bytes
from .manifest import manifest_bytes
from .members import LIMITS, read_members, refusing

if TYPE_CHECKING:
    from ..backbones import Network

SUFFIX = ".cxr"
OWN = {MANIFEST, SIGNATURE}  # made here, from the others
EPOCH = (1980, 1, 1, 0, 0, 0)  # no time stamp: equal models are equal files


def write_bundle(
    path: Path | str,
    network: Network,
    config: BundleConfig,
    abstention: AbstentionRules | None = None,
) -> Path:
    """Writes whole or not at all. Raises StorageError when the disk is full or read-only.

    `abstention` says when the model should abstain; without it, it answers every image.
    """
    from safetensors.torch import save

    tensors = {
        name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()
    }
    members = {
        CONFIG: config.to_json().encode(),
        CARD: model_card(config).encode(),
        GOLDEN: golden_bytes(network, config.classes),
        WEIGHTS: save(tensors),
    }
    if abstention is not None:
        members[TRUST] = abstention_bytes(abstention)
    return write_members(path, sealed(members))


def rewrite(
    path: Path | str, out: Path | str, add: Mapping[str, bytes], remove: Collection[str] = ()
) -> Path:
    """Copies the model file `path` to `out` with members added (or replaced) and others removed.

    `out` may be `path`. The manifest is made anew, and the file is of the newest format. A
    signature is left out, since it was made over the manifest before; a line says so. What is
    added is not looked into here: the next reading does that.
    Raises BundleError when `path` is refused, UsageError for a member that a model file cannot
    have, lose, or that is made here, StorageError when it cannot be written.
    """
    cannot_add = sorted(set(add) - (set(LIMITS) - OWN))
    cannot_remove = sorted(set(remove) & {*REQUIRED, *OWN})
    if cannot_add or cannot_remove:
        name = [*cannot_add, *cannot_remove][0]
        raise UsageError(f"{name!r} cannot be added to a model file, or removed from it, by itself")
    with refusing(path):
        members = read_members(Path(path))
    remaining = {name: data for name, data in members.items() if name not in remove}
    written = write_members(out, sealed({**remaining, **add}))
    if SIGNATURE in members:
        say(f"{out} is not signed any more; sign it again with: cxr sign {out} --key KEY")
    return written


def sealed(members: Mapping[str, bytes]) -> dict[str, bytes]:
    """The members of a file of the newest format: with their manifest, and not signed yet."""
    config = BundleConfig.from_json(members[CONFIG])
    current = {**members, CONFIG: config.to_json().encode()}
    content = {name: data for name, data in current.items() if name not in OWN}
    return {**content, MANIFEST: manifest_bytes(content)}


def write_members(path: Path | str, members: Mapping[str, bytes]) -> Path:
    """Writes whole or not at all. Raises StorageError when the disk is full or read-only."""
    path = Path(path)
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name, EPOCH), data)
    return path
