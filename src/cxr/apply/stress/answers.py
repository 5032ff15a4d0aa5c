"""What the model says of every image, plain and changed, by the path of a prediction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..._io import Progress
from ...evaluate.schema import Figure, undefined
from ...pixels import available_cpus, map_in_order
from ..batch.image_list import batches
from ..predictor import Predictor
from .differences import shares_of_images
from .views import Setting, Views, views_or_reason

AT_A_TIME = 32  # images whose views go through the network together


@dataclass(frozen=True, eq=False)
class Answers:
    """Of n readable images, first plain and then under each of m - 1 settings.

    `probabilities` (m, n, k) are calibrated. `found` (m, n): whether upright lungs were found;
    None for a model of whole images. `confident` (m, n); None where the model does not judge it.
    `errors` gives for each unreadable file the reason, by its number.
    """

    probabilities: NDArray[np.float64]
    found: NDArray[np.bool_] | None
    confident: NDArray[np.bool_] | None
    errors: dict[int, str]

    def shares(self, groups: NDArray[np.int64], seed: int) -> list[dict[str, Figure]]:
        """For the plain images and for each setting: `no_lungs_found` and `confident`, shares of
        the images with an interval by a bootstrap of patients (`groups` (n,), from 0)."""
        m = len(self.probabilities)
        none_found, confident = (
            [undefined(why)] * m if flags is None else shares_of_images(flags.T, groups, seed=seed)
            for flags, why in (
                (None if self.found is None else ~self.found, "the model sees whole images"),
                (self.confident, "the model does not judge whether to be confident"),
            )
        )
        return [
            {"no_lungs_found": some, "confident": sure}
            for some, sure in zip(none_found, confident, strict=True)
        ]


def ask(
    predictor: Predictor, paths: Sequence[Path], settings: Sequence[Setting], seed: int
) -> Answers:
    """Of each readable file; threads change the next images while the network is at work."""
    probabilities, found, confident = [], [], []
    errors: dict[int, str] = {}
    for some in batches(_views(predictor, paths, settings, seed, errors), AT_A_TIME):
        frames = [frame for one in some for frame in one.frames]
        predicted = predictor.predictions(np.concatenate([v.pixels for v in some]), frames=frames)
        probabilities += [list(one.calibrated.values()) for one in predicted]
        found += [frame.found for frame in frames]
        confident += [one.confident for one in predicted]
    shape = (-1, 1 + len(settings))
    judged = np.array(confident).reshape(shape).T
    return Answers(
        np.array(probabilities).reshape(*shape, len(predictor.vocab)).transpose(1, 0, 2),
        np.array(found, bool).reshape(shape).T if predictor.config.frame == "lungs" else None,
        None if None in confident else judged.astype(bool),
        errors,
    )


def _views(
    predictor: Predictor,
    paths: Sequence[Path],
    settings: Sequence[Setting],
    seed: int,
    errors: dict[int, str],
) -> Iterator[Views]:
    """Of each readable file, in order; `errors` is filled on the way."""

    def views(row: int) -> Views | str:
        return views_or_reason(predictor, paths[row], settings, (seed, row))

    rows = range(len(paths))
    with Progress("changing and predicting", len(paths)) as progress:
        for row, one in enumerate(map_in_order(views, rows, available_cpus())):
            if isinstance(one, str):
                errors[row] = one
            else:
                yield one
            progress.advance(1)
