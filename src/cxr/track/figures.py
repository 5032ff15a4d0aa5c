"""The figures of an epoch and of a finished run, as logs and sinks take them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .._io.files import finite_or_none

if TYPE_CHECKING:
    from ..train.state import TrainingState

Figures = dict[str, float]


def epoch_facts(learner: TrainingState, epoch: int) -> dict[str, Any]:
    """Of the epoch that `learner` has just finished; what is undefined is None.

    `images_per_second` counts the training images over the whole epoch, validation included;
    `learning_rate` is that of the head at the last step (None for the regression, which has none).
    """
    recorder = learner.recorder
    train_loss, valid_loss, *metrics = recorder.values[-1]
    seconds = recorder.times[-1]
    rate = recorder.lrs[-1] if recorder.lrs else 0.0
    return {
        "phase": learner.fits - 1,
        "epoch": epoch,
        "train_loss": finite_or_none(train_loss),
        "valid_loss": finite_or_none(valid_loss),
        "metrics": {
            name: finite_or_none(value)
            for name, value in zip(learner.metric_names, metrics, strict=True)
        },
        "learning_rate": rate or None,
        "images_per_second": round(learner.dls.train.n_images / max(seconds, 1e-9), 2),
        "epoch_seconds": round(seconds, 3),
    }


def curves(facts: Mapping[str, Any]) -> Figures:
    """The numbers of `epoch_facts`, by name, without what is undefined."""
    found = {**facts, **facts.get("metrics", {})}
    names = ("train_loss", "valid_loss", *facts.get("metrics", {}), "learning_rate")
    return {
        name: float(found[name])
        for name in (*names, "images_per_second", "epoch_seconds")
        if _is_number(found.get(name))
    }


def final_figures(metrics: Mapping[str, Any]) -> Figures:
    """`valid_auroc`, `valid_auroc_low`, `valid_auroc_high`, ... of all splits in `metrics.json`."""
    found: Figures = {}
    for split, values in metrics.items():
        if split != "about":
            for name, value in values.items():
                found |= _flat(f"{split}_{name}", value)
    return found


def main_figures(metrics: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """By split, counts, threshold and the figures as `metrics.json` has them; no tables."""
    return {
        split: {name: value for name, value in values.items() if _flat(name, value)}
        for split, values in metrics.items()
        if split != "about"
    }


def _flat(name: str, value: object) -> Figures:
    if _is_number(value):
        return {name: float(value)}  # type: ignore[arg-type]
    if not isinstance(value, Mapping) or not _is_number(value.get("value")):
        return {}
    ends = {f"{name}_{end}": value[end] for end in ("low", "high") if _is_number(value.get(end))}
    return {name: float(value["value"]), **ends}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
