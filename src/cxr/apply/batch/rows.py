"""From files to rows, in constant memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from ..._io import Progress
from ...bundle.config import BundleConfig
from ...errors import ImageError
from ...pixels import available_cpus, map_in_order
from ..decision.prediction import predictions
from ..engine import Pixels
from ..predictor import Predictor
from .listing import batches

CHUNK = 128
"""Images that go through the network together. Results may differ in the last digit with it, so
that work begun anew starts at a multiple of it."""

TOGETHER = 8
"""Files that one thread decodes in a row: so many more are ready when the network is."""

Row = dict[str, Any]
Loaded = tuple[Path | str, Pixels | ImageError]
JUDGED = ("probability", "confident", "out_of_distribution", "reason")


def predict_rows(
    model: Predictor, files: Iterable[Path], prevalence: float | None = None
) -> Iterator[Row]:
    """A row for each file, in order, in constant memory. A bad file has `error` and no figures.

    `prob_<class>` are calibrated, as in the tables of an evaluation; `decision` is what they mean
    at the operating point, `prediction` the likeliest class (several labels: those above 0.5).
    The rest says whether to trust that: see `Confidence`. With `prevalence` there are besides
    `at_prevalence_<prevalence>_<class>`, the probabilities where that share has the finding.
    Files are decoded by threads while the network is at work on those before.
    """
    return chain.from_iterable(predict_chunks(model, files, prevalence))


def predict_chunks(
    model: Predictor, files: Iterable[Path], prevalence: float | None = None
) -> Iterator[list[Row]]:
    """The same, by CHUNK files. Raises UsageError for a prevalence that the model cannot take."""
    load = partial(_load, model)
    loaded = map_in_order(load, batches(files, TOGETHER), available_cpus())
    chunks = batches(chain.from_iterable(loaded), CHUNK)
    return (rows_of(model, chunk, prevalence) for chunk in chunks)


def predict_files(
    model: Predictor, files: Sequence[Path], prevalence: float | None = None
) -> list[Row]:
    """All rows, with progress."""
    rows = []
    with Progress("predicting", len(files)) as progress:
        for chunk in predict_chunks(model, files, prevalence):
            rows += chunk
            progress.advance(len(chunk))
    return rows


def columns_of(config: BundleConfig, prevalence: float | None = None) -> list[str]:
    """Of the rows of a model, in order."""
    return list(_row(config, Path(), prevalence))


def _load(model: Predictor, paths: list[Path]) -> list[Loaded]:
    return [(path, _image(model, path)) for path in paths]


def _image(model: Predictor, path: Path) -> Pixels | ImageError:
    try:
        return model.pixels(path)
    except ImageError as error:
        return error


def rows_of(
    model: Predictor, chunk: Sequence[Loaded], prevalence: float | None = None
) -> list[Row]:
    """Of at most CHUNK files, each with its pixels or with why it has none."""
    films = [film for _, film in chunk if isinstance(film, np.ndarray)]
    found = _answers(model, np.stack(films), prevalence) if films else iter(())
    rows = []
    for path, film in chunk:
        row = _row(model.config, path, prevalence)
        if isinstance(film, ImageError):
            row["error"] = film.reason
        else:
            row.update(next(found))
        rows.append(row)
    return rows


def _row(config: BundleConfig, path: Path | str, prevalence: float | None) -> Row:
    """With all its columns, still empty."""
    chances = [f"prob_{name}" for name in config.classes]
    if prevalence is not None:
        chances += [_there(name, prevalence) for name in config.classes]
    names = ["path", "prediction", "decision", *chances, *JUDGED, "error"]
    return {**dict.fromkeys(names), "path": str(path)}


def _there(name: str, prevalence: float) -> str:
    return f"at_prevalence_{prevalence!r}_{name}"


def _answers(model: Predictor, pixels: Pixels, prevalence: float | None) -> Iterator[Row]:
    outputs = model.run(pixels)
    said = predictions(model.rules, outputs, pixels)
    there: list[list[float]] = [[]] * len(said)
    if prevalence is not None:
        there = model.rules.probabilities(outputs.logits, prevalence=prevalence).tolist()
    for prediction, shifted in zip(said, there, strict=True):
        names = zip(model.config.classes, shifted, strict=False)
        yield {
            "prediction": prediction.prediction,
            "decision": prediction.decision,
            **{f"prob_{name}": chance for name, chance in prediction.calibrated.items()},
            **{_there(name, prevalence or 0): chance for name, chance in names},
            **{name: getattr(prediction, name) for name in JUDGED},
        }
