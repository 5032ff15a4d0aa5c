"""From a learner to `model.cxr`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..bundle import BundleConfig, write_bundle
from ..bundle.abstention import AbstentionRules
from ..prepare.loaders import DataLoaders
from .state import TrainingState

DEFAULT_POPULATION = "not stated by whoever trained this model"


@dataclass(frozen=True)
class ExportFacts:
    """What prediction must know beside the network.

    `population` says on whom it was trained; `positive` and `threshold`, or the
    `thresholds` (k,) of several labels, are the decision.
    """

    temperature: float = 1.0
    threshold: float = 0.5
    thresholds: tuple[float, ...] | None = None
    positive: str | None = None
    population: str = ""
    fingerprint: str = ""
    calibration: dict[str, Any] | None = None
    abstention: AbstentionRules | None = None


def export_bundle(state: TrainingState, path: Path, facts: ExportFacts) -> Path:
    """Writes the model file. Raises StorageError when the disk is full or read-only."""
    dls = state.dls
    architecture = state.model.architecture
    config = BundleConfig(
        classes=dls.classes,
        multi_label=dls.multi_label,
        backbone=architecture.backbone,
        size=architecture.size,
        resize_method=dls.resize.method,
        frame=dls.resize.frame,
        dropout=architecture.dropout,
        temperature=facts.temperature,
        calibration=facts.calibration,
        threshold=facts.threshold,
        thresholds=facts.thresholds,
        positive=facts.positive,
        population=facts.population or DEFAULT_POPULATION,
        training_data={
            "fingerprint": facts.fingerprint,
            "n_train": len(dls.train.images),
            "n_valid": len(dls.valid.images),
            "n_patients": len({p for p in dls.items.patients if p is not None}) or None,
            "prevalence": _prevalence(dls, facts.positive),
        },
        weights_source=state.weights_source,
    )
    return write_bundle(path, state.model, config, facts.abstention)


def _prevalence(dls: DataLoaders, positive: str | None) -> float | None:
    """Of the validation images, which the probabilities were calibrated on."""
    if positive is None or dls.multi_label:
        return None
    return float((dls.valid.images.targets == dls.classes.index(positive)).mean())
