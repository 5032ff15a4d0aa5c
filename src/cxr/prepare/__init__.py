"""Splits, batches, augmentation, and what they look like."""

from .augment import Augmentation, aug_transforms
from .datablock import (
    CategoryBlock,
    DataBlock,
    ImageBlock,
    ImageDataBunch,
    MultiCategoryBlock,
)
from .from_manifest import dataloaders_from_manifest, named_splitter
from .loaders import DataLoaders, Resize
from .split import (
    FolderSplitter,
    KFoldPatientSplitter,
    ManifestSplitter,
    PatientSplitter,
    RandomSplitter,
)

__all__ = [
    "Augmentation",
    "CategoryBlock",
    "DataBlock",
    "DataLoaders",
    "FolderSplitter",
    "ImageBlock",
    "ImageDataBunch",
    "KFoldPatientSplitter",
    "ManifestSplitter",
    "MultiCategoryBlock",
    "PatientSplitter",
    "RandomSplitter",
    "Resize",
    "aug_transforms",
    "dataloaders_from_manifest",
    "named_splitter",
]
