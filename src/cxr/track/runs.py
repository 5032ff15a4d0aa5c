"""The runs that lie in a folder, finished or not, as far as their files tell; and side by side."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from .._io import read_json
from .._io.locks import is_held
from .._io.run_files import CONFIG, HISTORY, LOCK, MANIFEST, METRICS
from ..errors import CxrError, DataError, UnknownName, UsageError
from .log import LOG, Line, read_log

FIGURES = ("auroc", "error_rate", "sensitivity", "specificity")
NOT_RUNS = ("mlartifacts", "mlruns")  # what MLflow keeps beside runs

Figure = dict[str, Any]


@dataclass(frozen=True)
class Run:
    """One run, `images` being those it trained and validated on, `epochs` those done.

    `figures` are of its validation images, as in `metrics.json`, and there is none before the end;
    `seconds` are of training; `date` is when it did something last (ISO, UTC).
    """

    folder: Path
    state: str  # finished, running or unfinished
    settings: dict[str, Any]
    figures: dict[str, Figure]
    images: int | None
    epochs: int
    seconds: float
    date: str

    def row(self) -> dict[str, Any]:
        """JSON types, for a line of a table."""
        chosen = {name: self.settings.get(name) for name in ("backbone", "size")}
        facts = {k: v for k, v in asdict(self).items() if k not in ("settings", "figures")}
        figures = {name: self.figures.get(name) for name in FIGURES}
        return {**facts, "folder": str(self.folder), **chosen, **figures}


def find_runs(folders: Sequence[Path]) -> tuple[list[Run], dict[str, str]]:
    """The runs that `folders` are or hold, and why what else lies there is none.

    Raises UsageError for a folder that is not there.
    """
    runs: list[Run] = []
    left_out: dict[str, str] = {}
    for folder in dict.fromkeys(one for some in folders for one in _candidates(some)):
        try:
            runs.append(read_run(folder))
        except (CxrError, OSError) as error:
            left_out[str(folder)] = str(error)
    return runs, left_out


def _candidates(folder: Path) -> Iterator[Path]:
    if not folder.is_dir():
        raise UsageError(
            f"{folder} is not a folder; give run folders, or a folder of them (default: runs)"
        )
    if (folder / CONFIG).is_file():
        yield folder
        return
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.name.startswith(".") and path.name not in NOT_RUNS:
            yield path


def read_run(folder: Path) -> Run:
    """Raises DataError for what is damaged or no run."""
    settings = _settings(folder / CONFIG)
    figures = _figures(folder / METRICS)
    log = read_log(folder / LOG)
    history = list(_history(folder / HISTORY))
    state = "finished" if figures is not None else "unfinished"
    if state == "unfinished" and is_held(folder / LOCK):
        state = "running"
    return Run(
        folder,
        state,
        settings,
        figures or {},
        _images(log, folder / MANIFEST),
        len(history),
        round(sum(history), 1),
        _date(log, folder),
    )


def _settings(path: Path) -> dict[str, Any]:
    """As they are written: another version of cxr may have had others."""
    if not path.is_file():
        raise DataError(f"no run: it has no {path.name}")
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise DataError(f"{path.name} is damaged: it is not valid YAML") from error
    if not isinstance(found, dict):
        raise DataError(f"{path.name} is damaged: it holds no settings")
    return {str(name): value for name, value in found.items()}


def _figures(path: Path) -> dict[str, Figure] | None:
    """Of the validation images; None while there are none."""
    if not path.is_file():
        return None
    metrics = read_json(path)
    valid = metrics.get("valid") if isinstance(metrics, dict) else None
    if not isinstance(valid, dict):
        raise DataError(f"{path.name} is damaged: it holds no figures of the validation images")
    return {
        name: value
        for name, value in valid.items()
        if isinstance(value, dict) and isinstance(value.get("value"), int | float)
    }


def _history(path: Path) -> Iterator[float]:
    """The seconds of each epoch."""
    if not path.is_file():
        return
    try:
        with path.open(encoding="utf-8", newline="") as file:
            yield from (float(row["seconds"]) for row in csv.DictReader(file))
    except (csv.Error, KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path.name} is damaged: it has no seconds") from error


def _images(log: Sequence[Line], manifest: Path) -> int | None:
    for line in reversed(log):
        images = line.get("images")
        if isinstance(images, dict) and images:
            return sum(n for n in images.values() if isinstance(n, int))
    if not manifest.is_file():
        return None
    try:
        with manifest.open(encoding="utf-8", newline="") as file:
            return sum(row.get("split") in ("train", "valid") for row in csv.DictReader(file))
    except (csv.Error, ValueError) as error:
        raise DataError(f"{manifest.name} is damaged: it is no table") from error


def _date(log: Sequence[Line], folder: Path) -> str:
    """Of what happened last."""
    if log and isinstance(log[-1].get("time"), str):
        return str(log[-1]["time"])
    files = (folder / name for name in (METRICS, HISTORY, CONFIG))
    newest = next(path for path in files if path.is_file()).stat().st_mtime
    return datetime.fromtimestamp(newest, UTC).isoformat(timespec="milliseconds")


# Sorting ---------------------------------------------------------------------------------------


def _value(figure: str) -> Callable[[Run], Any]:
    return lambda run: run.figures.get(figure, {}).get("value")


SORTS: dict[str, Callable[[Run], Any]] = {
    "name": lambda run: str(run.folder),
    "state": lambda run: run.state,
    "backbone": lambda run: str(run.settings.get("backbone")),
    "size": lambda run: run.settings.get("size"),
    "images": lambda run: run.images,
    "epochs": lambda run: run.epochs,
    "seconds": lambda run: run.seconds,
    "date": lambda run: run.date,
    **{name: _value(name) for name in FIGURES},
}
BIGGEST_FIRST = ("auroc", "sensitivity", "specificity", "date")


def sort_runs(runs: Sequence[Run], by: str = "date") -> list[Run]:
    """The newest or the best first; those without a value last. Raises UnknownName."""
    if by not in SORTS:
        raise UnknownName("order of runs", by, SORTS)
    value = SORTS[by]
    known = [run for run in runs if _comparable(value(run))]
    unknown = [run for run in runs if not _comparable(value(run))]
    return sorted(known, key=value, reverse=by in BIGGEST_FIRST) + unknown


def _comparable(value: object) -> bool:
    return isinstance(value, str) or (isinstance(value, int | float) and math.isfinite(value))


# Comparison --------------------------------------------------------------------------------------


def compare_runs(folders: Sequence[Path | str], *, seed: int = 0) -> dict[str, Any]:
    """Two runs or more, as JSON types.

    `settings` that differ and `figures` with intervals have a value for each of `runs`, None where
    a run has none; `paired` are comparisons of each later run with the first on the same images
    (`evaluate.compare_models`), or the `reason` why there is none.
    Raises UsageError for fewer than two folders, DataError for one that holds no run.
    """
    if len(folders) < 2:
        what = "1 run" if folders else "0 runs"
        raise UsageError(f"{what} to compare: give two or more run folders")
    runs = [_read_to_compare(Path(folder)) for folder in folders]
    return {
        "runs": [str(run.folder) for run in runs],
        "states": [run.state for run in runs],
        "settings": _differing(runs),
        "figures": _figures_of(runs),
        "paired": [_pair(runs[0].folder, other.folder, seed) for other in runs[1:]],
    }


def _read_to_compare(folder: Path) -> Run:
    try:
        return read_run(folder)
    except DataError as error:
        raise DataError(f"{folder}: {error}; give folders that cxr train wrote") from error


def _differing(runs: Sequence[Run]) -> dict[str, list[Any]]:
    names = dict.fromkeys(name for run in runs for name in run.settings)
    values = {name: [run.settings.get(name) for run in runs] for name in names}
    return {name: some for name, some in values.items() if any(one != some[0] for one in some)}


def _figures_of(runs: Sequence[Run]) -> dict[str, list[Any]]:
    names = dict.fromkeys(name for run in runs for name in run.figures)
    return {name: [run.figures.get(name) for run in runs] for name in names}


def _pair(a: Path, b: Path, seed: int) -> dict[str, Any]:
    from ..evaluate import compare_models

    try:
        comparison = compare_models(a, b, split="valid", seed=seed)
    except CxrError as error:
        return {"runs": [str(a), str(b)], "reason": str(error)}
    return {"runs": [str(a), str(b)], **comparison}
