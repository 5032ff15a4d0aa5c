"""From a learner to `model.cxr`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..bundle import BundleConfig, write_bundle

if TYPE_CHECKING:
    from .learner import Learner


def export_bundle(
    learner: Learner,
    path: Path,
    *,
    temperature: float = 1.0,
    threshold: float = 0.5,
    positive: str | None = None,
    population: str = "",
    fingerprint: str = "",
) -> Path:
    """Writes the model with what prediction must know; `population` says on whom it was trained."""
    dls = learner.dls
    architecture = learner.model.architecture
    config = BundleConfig(
        classes=dls.classes,
        multi_label=dls.multi_label,
        backbone=architecture.backbone,
        size=architecture.size,
        resize_method=dls.resize.method,
        dropout=architecture.dropout,
        temperature=temperature,
        threshold=threshold,
        positive=positive,
        population=population or DEFAULT_POPULATION,
        training_data={
            "fingerprint": fingerprint,
            "n_train": len(dls.train.images),
            "n_valid": len(dls.valid.images),
            "n_patients": len({p for p in dls.items.patients if p is not None}) or None,
        },
        weights_source=learner.weights_source,
    )
    return write_bundle(path, learner.model, config)


DEFAULT_POPULATION = "not stated by whoever trained this model"
