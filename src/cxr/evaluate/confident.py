"""How often the model is sure, how right it then is, and how often an image is unlike training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._stats.bootstrap import patient_weights
from .intervals import Figure, figure
from .measure import LEVEL, check_resamples
from .metrics.metric import Proportion, proportion
from .predictions import Predictions

SET_HERE = (
    "Both rules were set on these very images, so about as many are withheld here as they allow: "
    "what counts is whether the sure answers are right, and what happens on other images."
)
Masks = tuple[NDArray[np.bool_], NDArray[np.bool_]]


def abstention_facts(
    predictions: Predictions,
    confident: Sequence[bool | None],
    unlike: Sequence[bool | None],
    *,
    sentences: Sequence[str] = (),
    set_here: bool = False,
    resamples: int = 2000,
    seed: int = 0,
) -> dict[str, Any]:
    """For `ReportContext.abstention`: `sentences` and `figures`: shares with intervals.

    confident, unlike: one an image, as predictions record them; None where it was not judged.
    sentences: what the rules are, in words. set_here: whether these images set the rules.
    """
    check_resamples(resamples)
    sure, far = (np.array([bool(one) for one in some]) for some in (confident, unlike))
    judged, looked = (np.array([one is not None for one in some]) for some in (confident, unlike))
    right = predictions.table["correct"].fillna(False).to_numpy(bool)
    asked: dict[str, Masks] = {
        "Answers that the model is sure of": (sure, judged),
        "Right where it is sure": (right, sure),
        "Right where it is not": (right, judged & ~sure),
        "Images called unlike the training images": (far, looked),
    }
    return {
        "sentences": [*sentences, *([SET_HERE] if set_here and judged.any() else [])],
        "unlike_judged": bool(looked.any()),
        "figures": _shares(asked, predictions.patient_groups, resamples, seed),
    }


def _shares(
    asked: dict[str, Masks], groups: NDArray[np.int64], resamples: int, seed: int
) -> dict[str, Figure]:
    """Hits among trials, by name; nothing where there was no trial."""
    metrics = {name: _share_of(both) for name, both in asked.items() if both[1].any()}
    drawn: dict[str, list[NDArray[np.float64]]] = {name: [] for name in metrics}
    for weights in patient_weights(groups, resamples, seed):
        for name, metric in metrics.items():
            drawn[name].append(metric.of(None, weights))
    nothing: Any = None  # these metrics ask nothing of a sample
    return {
        name: figure(metric, nothing, groups, np.concatenate(drawn[name]), LEVEL)
        for name, metric in metrics.items()
    }


def _share_of(both: Masks) -> Proportion:
    return proportion("share", lambda _: both)
