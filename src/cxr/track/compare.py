"""Runs side by side: what was set otherwise, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import CxrError, DataError, UsageError
from .runs import Run, read_run

SPLIT = "valid"


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
    runs = [_read(Path(folder)) for folder in folders]
    return {
        "runs": [str(run.folder) for run in runs],
        "states": [run.state for run in runs],
        "settings": _differing(runs),
        "figures": _figures(runs),
        "paired": [_pair(runs[0].folder, other.folder, seed) for other in runs[1:]],
    }


def _read(folder: Path) -> Run:
    try:
        return read_run(folder)
    except DataError as error:
        raise DataError(f"{folder}: {error}; give folders that cxr train wrote") from error


def _differing(runs: Sequence[Run]) -> dict[str, list[Any]]:
    names = dict.fromkeys(name for run in runs for name in run.settings)
    values = {name: [run.settings.get(name) for run in runs] for name in names}
    return {name: some for name, some in values.items() if any(one != some[0] for one in some)}


def _figures(runs: Sequence[Run]) -> dict[str, list[Any]]:
    names = dict.fromkeys(name for run in runs for name in run.figures)
    return {name: [run.figures.get(name) for run in runs] for name in names}


def _pair(a: Path, b: Path, seed: int) -> dict[str, Any]:
    from ..evaluate import compare_models

    try:
        found = compare_models(a, b, split=SPLIT, seed=seed)
    except CxrError as error:
        return {"runs": [str(a), str(b)], "reason": str(error)}
    return {"runs": [str(a), str(b)], **found}
