"""The predictions that an earlier command left: in a run folder, an evaluation's, or one file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..._io import read_json
from ..._io.run_files import METRICS, ONE_TABLE
from ...errors import UsageError
from .csv_file import read_predictions
from .table import Predictions

STEM = "predictions_"
PREFERRED = ("test", "valid")  # never the images that a model was trained on


@dataclass(frozen=True, eq=False)
class SavedPredictions:
    """Predictions, the `file` they are in, and the `threshold` they were decided at, if noted."""

    predictions: Predictions
    file: Path
    threshold: float | None


def load_predictions(place: Path | str, split: str | None = None) -> SavedPredictions:
    """From a run folder, an evaluation's output folder or a table of predictions.

    Where a folder holds several splits, `split` is taken, else test, else valid. The finding and
    the threshold come from `metrics.json` beside the table, where there is one.
    Raises UsageError when there is no such table, ManifestError when it is malformed.
    """
    file = find_table(Path(place), split)
    noted = _noted(file)
    threshold = noted.get("threshold")
    return SavedPredictions(
        read_predictions(file, positive=noted.get("positive")),
        file,
        threshold if isinstance(threshold, float) else None,
    )


def find_table(place: Path, split: str | None = None) -> Path:
    """The predictions table that `place` means. Raises UsageError when there is none."""
    if place.is_file() and place.suffix == ".csv":
        return place
    if not place.is_dir():
        raise UsageError(f"no predictions at {place}; give a run folder or a predictions table")
    if split is None and (place / ONE_TABLE).is_file():
        return place / ONE_TABLE
    names = sorted(file.stem.removeprefix(STEM) for file in place.glob(f"{STEM}*.csv"))
    for name in PREFERRED if split is None else (split,):
        if name in names:
            return place / f"{STEM}{name}.csv"
    raise UsageError(
        f"{place} has no predictions of {split or ' or '.join(PREFERRED)}; it has "
        f"{', '.join(names) or 'none'}: name one with --split, or give the table itself"
    )


def _noted(file: Path) -> Mapping[str, Any]:
    """What `metrics.json` says of this table; nothing where it is not there."""
    path = file.with_name(METRICS)
    if not path.is_file() or not file.name.startswith(("predictions_", ONE_TABLE)):
        return {}
    metrics = read_json(path)
    if not isinstance(metrics, dict):
        return {}
    splits = [name for name in metrics if name != "about"]
    one = splits[0] if file.name == ONE_TABLE and len(splits) == 1 else None
    noted = metrics.get(one or file.stem.removeprefix(STEM), {})
    return noted if isinstance(noted, dict) else {}
