"""The manifest, split and resized, becomes loaders."""

from __future__ import annotations

from pathlib import Path

from ..errors import UsageError
from ..find.manifest import Manifest
from .augment import Augmentation
from .loaders import DataLoaders, Items, Splitter, make_dataloaders
from .resize import Resize
from .split import FolderSplitter, ManifestSplitter, PatientSplitter, RandomSplitter

SPLITS = ("patient", "random", "folders", "manifest")


def manifest_items(manifest: Manifest) -> Items:
    return Items(
        paths=manifest.paths(),
        targets=manifest.targets(),
        classes=manifest.classes,
        patients=manifest.patients(),
        splits=manifest.splits(),
    )


def dataloaders_from_manifest(
    manifest: Manifest,
    splitter: Splitter,
    resize: Resize,
    *,
    bs: int = 64,
    augmentation: Augmentation | None = None,
    seed: int = 42,
    path: Path | str = ".",
) -> DataLoaders:
    """Loaders over the images of a manifest; see `make_dataloaders` for the rules."""
    return make_dataloaders(
        manifest_items(manifest),
        splitter,
        resize,
        bs=bs,
        augmentation=augmentation,
        seed=seed,
        path=path,
    )


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
