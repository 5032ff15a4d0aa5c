"""Which images train and which validate: one file for each way to split."""

from __future__ import annotations

from .by_column import ManifestSplitter
from .by_folder import FolderSplitter
from .by_patient import PatientSplitter
from .common import Split, Splitter, shared_patients
from .kfold import KFoldPatientSplitter
from .random_images import RandomSplitter

__all__ = [
    "FolderSplitter",
    "KFoldPatientSplitter",
    "ManifestSplitter",
    "PatientSplitter",
    "RandomSplitter",
    "Split",
    "Splitter",
    "shared_patients",
]
