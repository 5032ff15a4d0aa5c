"""Whose run a folder holds, and whether this one may go on in it."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from ..._io import read_json
from ..._io.run_files import CONFIG, ENVIRONMENT, LOCK
from ...config import RunConfig
from ...errors import DataError, UsageError
from ...find import Manifest
from ...pixels.frame import locator_version

# What may differ when a run goes on: where its images lie and where it is computed. That the
# quarantine still leaves the same images shows in their list.
FREE_TO_CHANGE = ("data", "image_root", "device", "quarantine", "skip_quarantined")


def check_folder(run: Path, config: RunConfig, done: str) -> bool:
    """Whether an unfinished run of the same settings lies there.

    A run folder is used once: nothing finished (it has the file `done`) is ever written over, and
    nothing unfinished. Raises UsageError for what is not this run's.
    """
    local = "://" not in config.data
    if local and run.resolve().is_relative_to(Path(config.data).resolve()):
        raise UsageError(
            f"{run} lies inside {config.data}, where its figures would count as images; choose "
            "another --run folder"
        )
    if not run.exists() or (run.is_dir() and not _contents(run)):
        return False
    if not (run / CONFIG).is_file():
        what = "is a file" if run.is_file() else "is not empty and not a run"
        raise UsageError(f"{run} {what}; choose another --run folder")
    if (run / done).is_file():
        raise UsageError(f"{run} holds a finished run; choose another --run folder")
    changed = differences(RunConfig.read(run / CONFIG), config)
    if changed:
        raise UsageError(
            f"{run} holds an unfinished run with other settings: {'; '.join(changed)}; give these "
            "to go on, or choose another --run folder"
        )
    refuse_other_locator(run, config)
    return True


def refuse_other_locator(run: Path, config: RunConfig) -> None:
    """A run goes on with the boxes that it began with: others are other pixels.

    Raises UsageError where its environment names another lung locator, or none, as before there
    were several. A run without that file has not trained yet.
    """
    path = run / ENVIRONMENT
    if config.frame != "lungs" or not path.is_file():
        return
    began, now = read_json(path).get("lung_locator"), locator_version()
    if began != now:
        raise UsageError(
            f"{run} holds an unfinished run whose images were cut by "
            f"{f'lung locator {began}' if began else 'the lung locator of an earlier version'}, "
            f"and this cxr cuts by {now}; choose another --run folder"
        )


def differences(before: RunConfig, now: RunConfig) -> list[str]:
    """In words, what a run that goes on may not change."""
    return [
        f"{name} was {old!r}, is {getattr(now, name)!r}"
        for name, old in vars(before).items()
        if old != getattr(now, name) and name not in FREE_TO_CHANGE
    ]


def clear_unfinished(run: Path) -> None:
    """Removes what a killed process left half-written. For who holds the lock."""
    for path in [*run.glob(".*.part"), *run.glob("*/.*.part")]:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def check_same_images(split: Manifest, path: Path) -> None:
    """A run goes on with the images that it began with: others may have been trained on already.

    Raises DataError with the difference to the table in `path`.
    """
    if not path.is_file():
        return
    with TemporaryDirectory() as folder:
        now = split.write(Path(folder) / path.name)
        if now.read_bytes() == path.read_bytes():
            return
        changed = "; ".join(table_differences(_table(path), _table(now)))
    raise DataError(
        f"the images, labels or their split under {split.root} are not those of {path}: {changed}; "
        "put them back as they were, the quarantine too, or train in a new folder"
    )


def table_differences(before: pd.DataFrame, now: pd.DataFrame) -> list[str]:
    """In words: which images came and went, and in which columns others differ."""
    changes = []
    for what, paths in (
        ("gone", before.index.difference(now.index)),
        ("new", now.index.difference(before.index)),
    ):
        if len(paths):
            changes.append(f"{len(paths):,} {what} ({paths[0]})")
    both = before.index.intersection(now.index)
    for column in before.columns.union(now.columns, sort=False):
        if column not in before or column not in now:
            changes.append(f"column {column} {'is new' if column in now else 'is gone'}")
            continue
        other = both[(before.loc[both, column] != now.loc[both, column]).to_numpy()]
        if len(other):
            changes.append(f"{column} differs for {len(other):,} ({other[0]})")
    return changes or ["their order"]


def _table(path: Path) -> pd.DataFrame:
    try:
        return pd.read_csv(path, dtype=str, keep_default_na=False).set_index("path")
    except (ValueError, KeyError) as error:  # the former of pandas, too
        raise DataError(
            f"{path} is damaged, so that nobody can say which images the run began with; put it "
            "back, or train in a new folder"
        ) from error


def _contents(run: Path) -> list[str]:
    """Without what a process leaves that was killed at once."""
    names = [path.name for path in run.iterdir()]
    return [name for name in names if name != LOCK and not name.endswith(".part")]
