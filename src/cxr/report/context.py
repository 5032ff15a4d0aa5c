"""What a report shows beside its figures: facts of the model and results of other steps."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._io.run_files import PREDICTIONS
from ..errors import DataError, UsageError
from ..find import Manifest

if TYPE_CHECKING:
    import pandas as pd

Json = Mapping[str, Any]
KEYS = {
    "check": ("data", "summary", "findings"),
    "stress": ("plain", "changes", "strongest", "summary"),
    "explanation": ("method", "sanity", "examples"),
    "environment": ("versions",),
    "flow": ("found", "left_out", "splits"),
}
RESULTS = (
    "check", "stress", "explanation", "history", "environment", "flow", "abstention", "settings"
)  # fmt: skip
MADE_BY = {"check": "check.json of cxr check", "stress": "stress.json of cxr stress"}


@dataclass(frozen=True)
class ReportContext:
    """All optional, in JSON types; where a result is missing its section says so or is left out.

    model_facts: name -> text, number or list; `caveats` among them, a list of sentences, come right
    after the first sentence. population: whose images the model was trained on. tables: what the
    tables of predictions are called. check: what `check.json` holds. stress: what `stress.json`
    holds. history: the rows of `history.csv`. environment: what `environment.json` holds. settings:
    the run's settings, by name. flow: what `flow_facts` gives. abstention: its `sentences` and
    `figures`. explanation: method, sanity checks and examples. images: by the file names that
    `explanation` calls them.
    Raises UsageError for a result that is something else.
    """

    model_facts: Json = field(default_factory=dict)
    population: str = ""
    tables: str = PREDICTIONS
    check: Json | None = None
    stress: Json | None = None
    explanation: Json | None = None
    history: Sequence[Json] | None = None
    environment: Json | None = None
    flow: Json | None = None
    abstention: Json | None = None
    settings: Json | None = None
    images: Mapping[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, keys in KEYS.items():
            result = getattr(self, name)
            if result is not None and (missing := [key for key in keys if key not in result]):
                raise UsageError(
                    f"the report's {name} has no {', '.join(missing)}; give what "
                    f"{MADE_BY.get(name, f'cxr made as {name}')} holds"
                )

    def results(self) -> dict[str, Any]:
        """Name -> result of another step, of those that are there."""
        named = {name: getattr(self, name) for name in RESULTS}
        return {name: result for name, result in named.items() if result}


def read_history(path: Path | str) -> list[dict[str, float | None]]:
    """The rows of `history.csv`, a number each or None. Raises DataError for other content."""
    path = Path(path)
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return [
                {name: float(cell) if cell else None for name, cell in row.items()}
                for row in csv.DictReader(file)
            ]
    except (ValueError, TypeError) as error:
        raise DataError(f"{path} is not a training history ({error})") from error


def flow_facts(
    manifest: Manifest,
    rows: Mapping[str, Sequence[int]],
    *,
    quarantined: int = 0,
    unreadable: int = 0,
) -> dict[str, Any]:
    """Images from found to used, for `ReportContext.flow`.

    manifest: the images that were to be used, in or out of a split. rows: name of a split -> the
    rows that went there. quarantined: images left out before, without a row. unreadable: rows
    that could not be decoded; the other rows in no split count as "not used".
    """
    used = sum(map(len, rows.values()))
    left_out = {
        "quarantined by cxr check": quarantined,
        "unreadable": unreadable,
        "not used": len(manifest) - used - unreadable,
    }
    return {
        "found": len(manifest) + quarantined,
        "left_out": [{"why": why, "n": n} for why, n in left_out.items() if n > 0],
        "splits": {name: _split_counts(manifest, some) for name, some in rows.items() if len(some)},
    }


def _split_counts(manifest: Manifest, rows: Sequence[int]) -> dict[str, Any]:
    table = manifest.table.iloc[list(rows)]
    if manifest.multi_label:
        masks = {name: table[name] == 1 for name in manifest.classes}
    else:
        masks = {name: table["label"] == name for name in manifest.classes}
    return {**_count(table), "classes": {name: _count(table[some]) for name, some in masks.items()}}


def _count(table: pd.DataFrame) -> dict[str, int | None]:
    return {"n": len(table), "n_patients": int(table["patient"].nunique()) or None}
