"""Prediction over many files: one row an image, bad files with their reason, the order kept."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from .._io import Progress, atomic_path
from ..backbones import decide
from ..errors import ImageError, UsageError
from ..find.files import get_image_files
from ..pixels import available_cpus, map_in_order
from .predictor import Predictor
from .trust import as_columns, look, verdicts

CHUNK = 128
FORMATS = (".csv", ".parquet", ".jsonl")

Row = dict[str, Any]
Loaded = tuple[Path, np.ndarray | ImageError]


def expand_images(given: Sequence[Path | str]) -> list[Path]:
    """Files as they are named, folders by their images. Raises UsageError for what is not there."""
    files: list[Path] = []
    for item in map(Path, given):
        if item.is_dir():
            files.extend(get_image_files(item))
        elif item.exists():
            files.append(item)
        else:
            raise UsageError(f"no file or folder {item}; give images or folders with images")
    return files


def predict_rows(predictor: Predictor, files: Sequence[Path]) -> Iterator[Row]:
    """A row for each file, in order, in constant memory. A bad file has `error` and no figures.

    `prob_<class>` are calibrated, as in the tables of an evaluation; `decision` is what they mean
    at the operating point, `prediction` the likeliest class (several labels: those above 0.5).
    The rest says whether to trust that: see `trust.Verdict`.
    Files are decoded by threads while the network is at work on those before.
    """
    loaded = map_in_order(partial(_load, predictor), files, available_cpus())
    for chunk in _chunks(zip(files, loaded, strict=True), CHUNK):
        good = [film for _, film in chunk if isinstance(film, np.ndarray)]
        answers = _answers(predictor, np.stack(good)) if good else iter(())
        for path, film in chunk:
            if isinstance(film, ImageError):
                yield {"path": str(path), **_blank(predictor.vocab), "error": film.reason}
            else:
                yield {"path": str(path), **next(answers), "error": None}


def _load(predictor: Predictor, path: Path) -> np.ndarray | ImageError:
    try:
        return predictor.pixels(path)
    except ImageError as error:
        return error


def _chunks(pairs: Iterable[Loaded], size: int) -> Iterator[list[Loaded]]:
    pairs = iter(pairs)
    while chunk := list(islice(pairs, size)):
        yield chunk


def _blank(classes: Iterable[str]) -> Row:
    figures = {f"prob_{name}": None for name in classes}
    return {"prediction": None, "decision": None, **figures, **as_columns(None)}


def _answers(predictor: Predictor, pixels: np.ndarray) -> Iterator[Row]:
    logits, distances = look(predictor, pixels)
    calibrated = predictor.probabilities(logits, calibrated=True)
    classes = predictor.config.classes
    judged = verdicts(predictor, logits, distances, calibrated.tolist())
    for chances, verdict in zip(calibrated, judged, strict=True):
        yield {
            "prediction": decide(chances, classes, predictor.config.multi_label)[0],
            "decision": predictor.decision(chances.tolist()),
            **{f"prob_{c}": p for c, p in zip(classes, chances.tolist(), strict=True)},
            **as_columns(verdict),
        }


def predict_files(predictor: Predictor, files: Sequence[Path]) -> list[Row]:
    """All rows, with progress."""
    rows = []
    with Progress("predicting", len(files)) as progress:
        for row in predict_rows(predictor, files):
            rows.append(row)
            progress.advance()
    return rows


def check_format(out: Path) -> None:
    if out.suffix not in FORMATS:
        raise UsageError(f"cannot write {out}: the name must end in {', '.join(FORMATS)}")


def write_rows(rows: Sequence[Row], out: Path) -> Path:
    """CSV, Parquet or JSON lines by the suffix of `out`; whole or not at all."""
    check_format(out)
    with atomic_path(out) as temporary:
        if out.suffix == ".parquet":
            import pandas as pd

            pd.DataFrame(rows).to_parquet(temporary, index=False)
        elif out.suffix == ".jsonl":
            lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
            temporary.write_text("".join(lines), encoding="utf-8")
        else:
            with temporary.open("w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, fieldnames=list(rows[0]))
                writer.writeheader()
                writer.writerows(rows)
    return out
