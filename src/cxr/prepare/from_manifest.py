"""The manifest, split and resized, becomes loaders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

from ..config import SplitKind
from ..errors import UsageError
from ..find.manifest import Manifest
from ..pixels.frame import locator_version
from ..pixels.resize import target_shape
from .items import AnySplitter, Column, Items
from .loaders import DataLoaders, Resize, make_dataloaders
from .split import FolderSplitter, ManifestSplitter, PatientSplitter, RandomSplitter, Splitter

if TYPE_CHECKING:
    from ..pixels import DecodedSet
    from ..pixels.shards.read import Shards

FRAMED = {"whole": "whole images", "lungs": "images cut to the lungs"}
SPLITS = get_args(SplitKind)


def manifest_items(manifest: Manifest) -> Items:
    """Paths, patients and splits stay in the table: as objects, ten million of them fill memory."""
    table, root = manifest.table, manifest.root.absolute()
    return Items(
        paths=Column(table["path"], lambda name: root / name),
        targets=manifest.targets(),
        classes=manifest.classes,
        patients=Column(table["patient"], str),
        splits=Column(table["split"], str) if "split" in table else None,
    )


def dataloaders_from_manifest(
    manifest: Manifest,
    splitter: AnySplitter,
    resize: Resize,
    *,
    shards: Shards | None = None,
    **options: Any,
) -> DataLoaders:
    """Loaders over the images of a manifest; see `make_dataloaders` for rules and `options`.

    `shards` hold its pixels already: it is theirs, or a part of it.
    """
    return make_dataloaders(
        manifest_items(manifest),
        splitter,
        resize,
        decoded=None if shards is None else decoded_in(shards, manifest, resize),
        **options,
    )


def decoded_in(shards: Shards, manifest: Manifest, resize: Resize) -> DecodedSet:
    """Raises UsageError when the shards are of another size, method, frame or lung locator."""
    index = shards.index
    height, width = target_shape(resize.size)
    if (index.height, index.width, index.method) != (height, width, resize.method):
        raise UsageError(
            f"{shards.store} holds images of {index.height} x {index.width} pixels ({index.method})"
            f", not {height} x {width} ({resize.method}); train with --size {index.height}, or "
            "write other shards"
        )
    if index.frame != resize.frame:
        raise UsageError(
            f"{shards.store} holds {FRAMED[index.frame]}, not {FRAMED[resize.frame]}; train with "
            f"--frame {index.frame}, or write other shards with cxr shards --frame {resize.frame}"
        )
    by = index.versions.get("locator")
    if index.frame == "lungs" and by != locator_version():
        raise UsageError(
            f"{shards.store} holds images cut by lung locator {by}, and this cxr cuts by "
            f"{locator_version()}; run the same cxr shards command again"
        )
    return shards.decoded(manifest)


def named_splitter(name: str, valid_pct: float, seed: int) -> Splitter:
    """The splitter behind `--split patient|random|folders|manifest`."""
    if name == "patient":
        return PatientSplitter(valid_pct, seed=seed)
    if name == "random":
        return RandomSplitter(valid_pct, seed=seed)
    if name == "folders":
        return FolderSplitter()
    if name == "manifest":
        return ManifestSplitter()
    raise UsageError(f"split {name!r} is not one of {', '.join(SPLITS)}")
