"""Which images train and which validate: one file for each way to split."""

from __future__ import annotations

from .base import Split, Splitter, shared_patients
from .by_patient import PatientSplitter
from .given import FolderSplitter, ManifestSplitter
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
