"""From a folder of chest X-rays to a classifier that people can trust and use.

Names load what they need when they are first used, so that `import cxr` is quick.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "cxr.apply": ("Predictor", "load_learner"),
    "cxr.backbones.names": (
        "efficientnet_lite0",
        "models",
        "resnet18",
        "resnet34",
        "resnet50",
    ),
    "cxr.check": ("Finding", "find_unreadable", "verify_images"),
    "cxr.find": ("Manifest", "Path", "get_image_files", "parent_label", "read_manifest"),
    "cxr.find.phantom": ("write_phantom",),
    "cxr.pixels": ("load_grey",),
    "cxr.prepare": (
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
    ),
    "cxr.train": (
        "EarlyStopping",
        "EarlyStoppingCallback",
        "Learner",
        "SaveBest",
        "SaveModelCallback",
        "accuracy",
        "auroc",
        "cnn_learner",
        "error_rate",
        "vision_learner",
    ),
    "cxr.report": ("ClassificationInterpretation",),
    "cxr.workflows.evaluate": ("evaluate_model",),
    "cxr.workflows.train": ("RunConfig", "train_run"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = sorted([*_HOME_OF, "__version__"])


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'cxr' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
