"""From files to rows of a table, in constant memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from ..._io import Progress
from ...bundle.config import BundleConfig
from ...bundle.task import Task
from ...config import FRAME_COLUMNS
from ...errors import ImageError
from ...pixels import LungFrame, available_cpus, map_in_order
from ..decision.confidence import FIELDS
from ..decision.prediction import Prediction, predictions
from ..engine import Pixels
from ..predictor import Predictor
from .image_list import batches

CHUNK = 128
"""Images that go through the network together. Results may differ in the last digit with it, so
that work begun anew starts at a multiple of it."""

FILES_PER_TASK = 8
"""Files that one thread decodes in a row: so many more are ready when the network is."""

FIRST = ("status", "not_judged")
"""What stands before any figure."""

Row = dict[str, Any]
Framed = tuple[Pixels, LungFrame]
Loaded = tuple[Path | str, Framed | ImageError]


def predict_rows(
    predictor: Predictor, files: Iterable[Path], prevalence: float | None = None
) -> Iterator[Row]:
    """A row for each file, in order, in constant memory. A bad file has `error` and no figures.

    `status` comes first and says whether the image was judged, `not_judged` what was not (joined by
    "; "). `prob_<class>` are calibrated, as in the tables of an evaluation; `decision` is what they
    mean at the operating thresholds, `threshold_<class>`, and `most_probable` the class of the
    highest. The rest says how confident that is (see `Confidence`) and what part of the image the
    network saw (`Prediction.frame`; empty for a model of whole images). With `prevalence` there are
    besides `at_prevalence_<prevalence>_<class>`, those where that share has the finding.
    Files are decoded by threads while the network is at work on those before.
    """
    return chain.from_iterable(predict_chunks(predictor, files, prevalence))


def predict_chunks(
    predictor: Predictor, files: Iterable[Path], prevalence: float | None = None
) -> Iterator[list[Row]]:
    """The same, by CHUNK files. Raises UsageError for a prevalence that the model cannot take."""
    load = partial(_load, predictor)
    loaded = map_in_order(load, batches(files, FILES_PER_TASK), available_cpus())
    chunks = batches(chain.from_iterable(loaded), CHUNK)
    return (rows_of(predictor, chunk, prevalence) for chunk in chunks)


def predict_files(
    predictor: Predictor, files: Sequence[Path], prevalence: float | None = None
) -> list[Row]:
    """All rows, with progress."""
    rows = []
    with Progress("predicting", len(files)) as progress:
        for chunk in predict_chunks(predictor, files, prevalence):
            rows += chunk
            progress.advance(len(chunk))
    return rows


def columns_of(config: BundleConfig, prevalence: float | None = None) -> list[str]:
    """Of the rows of a model, in order."""
    return list(_empty_row(config, Path(), prevalence))


def rows_of(
    predictor: Predictor, chunk: Sequence[Loaded], prevalence: float | None = None
) -> list[Row]:
    """Of at most CHUNK files, each with its pixels or with why it has none."""
    images = [image for _, image in chunk if not isinstance(image, ImageError)]
    results = _results(predictor, images, prevalence) if images else iter(())
    rows = []
    for path, image in chunk:
        row = _empty_row(predictor.config, path, prevalence)
        if isinstance(image, ImageError):
            row["error"] = image.reason
        else:
            row.update(next(results))
        rows.append(row)
    return rows


def _load(predictor: Predictor, paths: list[Path]) -> list[Loaded]:
    return [(path, _framed_or_error(predictor, path)) for path in paths]


def _framed_or_error(predictor: Predictor, path: Path) -> Framed | ImageError:
    try:
        return predictor.framed(path)
    except ImageError as error:
        return error


def _empty_row(config: BundleConfig, path: Path | str, prevalence: float | None) -> Row:
    """With all its columns, of which only the path is known."""
    probabilities = [f"prob_{name}" for name in config.classes]
    if prevalence is not None:
        probabilities += [_prevalence_column(name, prevalence) for name in config.classes]
    names = [
        "path",
        *FIRST,
        "decision",
        *_thresholds(config.task),
        "most_probable",
        *probabilities,
        *(name for name in FIELDS if name not in FIRST),
        *FRAME_COLUMNS,
        "error",
    ]
    return {**dict.fromkeys(names), "path": str(path)}


def frame_columns(prediction: Prediction) -> Row:
    edges = prediction.frame or (None,) * 4
    return dict(zip(FRAME_COLUMNS, (*edges, prediction.frame_score), strict=True))


def _thresholds(task: Task) -> Row:
    return {f"threshold_{name}": at for name, at in task.operating_thresholds.items()}


def _prevalence_column(name: str, prevalence: float) -> str:
    return f"at_prevalence_{prevalence!r}_{name}"


def _results(
    predictor: Predictor, images: Sequence[Framed], prevalence: float | None
) -> Iterator[Row]:
    pixels, frames = np.stack([grey for grey, _ in images]), [frame for _, frame in images]
    outputs = predictor.run(pixels)
    for_images = predictions(predictor.rules, outputs, pixels, frames=frames)
    shifted: list[list[float]] = [[]] * len(for_images)
    if prevalence is not None:
        shifted = predictor.rules.probabilities(outputs.logits, prevalence=prevalence).tolist()
    for prediction, at_prevalence in zip(for_images, shifted, strict=True):
        pairs = zip(predictor.config.classes, at_prevalence, strict=False)
        yield {
            "decision": prediction.decision,
            **_thresholds(predictor.config.task),
            "most_probable": prediction.most_probable,
            **{f"prob_{name}": p for name, p in prediction.calibrated.items()},
            **{_prevalence_column(name, prevalence or 0): p for name, p in pairs},
            **{name: getattr(prediction, name) for name in FIELDS},
            "not_judged": "; ".join(prediction.not_judged),
            **frame_columns(prediction),
        }
