"""From a learner to `model.cxr`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..bundle import BundleConfig, write_bundle
from ..bundle.abstention import AbstentionRules
from ..prepare.loaders import DataLoaders

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
    calibration: dict[str, Any] | None = None,
    abstention: AbstentionRules | None = None,
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
        calibration=calibration,
        threshold=threshold,
        positive=positive,
        population=population or DEFAULT_POPULATION,
        training_data={
            "fingerprint": fingerprint,
            "n_train": len(dls.train.images),
            "n_valid": len(dls.valid.images),
            "n_patients": len({p for p in dls.items.patients if p is not None}) or None,
            "prevalence": _share(dls, positive),
        },
        weights_source=learner.weights_source,
    )
    return write_bundle(path, learner.model, config, abstention)


def _share(dls: DataLoaders, positive: str | None) -> float | None:
    """Of the validation images, which the probabilities were calibrated on."""
    if positive is None or dls.multi_label:
        return None
    return float((dls.valid.images.targets == dls.classes.index(positive)).mean())


DEFAULT_POPULATION = "not stated by whoever trained this model"
