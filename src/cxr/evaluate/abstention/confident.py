"""How often the model is confident, how right it then is, and how many images it calls unlike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..intervals import check_resamples, figure
from ..metrics import PREVALENCE, binary
from ..predictions import Predictions
from ..questions import Question, resample
from ..schema import Figure

SET_HERE = (
    "Both rules were set on these very images, so about as many are withheld here as they allow: "
    "what counts is whether the confident answers are right, and what happens on other images."
)
Mask = NDArray[np.bool_]


def summarise_abstention(
    predictions: Predictions,
    confident: Sequence[bool | None],
    out_of_distribution: Sequence[bool | None],
    *,
    sentences: Sequence[str] = (),
    set_here: bool = False,
    resamples: int = 2000,
    seed: int = 0,
) -> dict[str, Any]:
    """For `ReportContext.abstention`: `sentences` and `figures`, shares of images with intervals.

    confident, out_of_distribution: one an image, as predictions record them; None where that was
    not judged. sentences: what the rules are, in words. set_here: whether these images set them.
    Raises UsageError for fewer than 100 resamples.
    """
    check_resamples(resamples)
    is_confident, is_outside = (
        np.array([bool(x) for x in some]) for some in (confident, out_of_distribution)
    )
    judged, checked = (
        np.array([x is not None for x in some]) for some in (confident, out_of_distribution)
    )
    right = predictions.table["correct"].fillna(False).to_numpy(bool)
    shares = [
        _share("Confident answers", is_confident, judged),
        _share("Right where confident", right, is_confident),
        _share("Right where not confident", right, judged & ~is_confident),
        _share("Images called unlike the training images", is_outside, checked),
    ]
    return {
        "sentences": [*sentences, *([SET_HERE] if set_here and judged.any() else [])],
        "out_of_distribution_checked": bool(checked.any()),
        "figures": _figures(shares, predictions.patient_groups, resamples, seed),
    }


def _share(name: str, hits: Mask, trials: Mask) -> Question:
    """Is the image a hit? Asked of those that are trials."""
    rows = np.flatnonzero(trials)
    return Question(name, binary(hits[rows], hits[rows].astype(float), hits[rows]), rows)


def _figures(
    shares: Sequence[Question], groups: NDArray[np.int64], resamples: int, seed: int
) -> dict[str, Figure]:
    """The share of hits by name; nothing where there was no trial."""
    asked = [(share, (PREVALENCE,)) for share in shares if len(share.rows)]
    drawn = resample(asked, groups, resamples, seed)
    return {
        share.name: figure(PREVALENCE, share.sample, groups[share.rows], values[PREVALENCE.name])
        for (share, _), values in zip(asked, drawn, strict=True)
    }
