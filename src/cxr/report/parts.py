"""What a report may hold beside its figures: results of other steps, as they were written."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from ..errors import DataError, UsageError

Json = Mapping[str, Any]
KEYS = {
    "check": ("data", "summary", "findings"),
    "stress": ("plain", "changes", "strongest", "summary"),
    "explanation": ("method", "sanity", "examples"),
    "environment": ("versions",),
    "flow": ("found", "left_out", "splits"),
}
MADE_BY = {"check": "check.json of cxr check", "stress": "stress.json of cxr stress"}


@dataclass(frozen=True)
class ReportParts:
    """All optional, in JSON types; where one is missing its section says so or is left out.

    check: what `check.json` holds. stress: what `stress.json` holds. history: the rows of
    `history.csv`. environment: what `environment.json` holds. settings: the run's settings, by
    name. flow: what `flow_facts` gives. abstention: what `abstention_facts` gives.
    explanation: method, sanity checks and examples. images: by the file names in `explanation`.
    Raises UsageError for a part that is something else.
    """

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
            part = getattr(self, name)
            if part is not None and (missing := [key for key in keys if key not in part]):
                raise UsageError(
                    f"the report's {name} has no {', '.join(missing)}; give what "
                    f"{MADE_BY.get(name, f'cxr made as {name}')} holds"
                )

    def given(self) -> dict[str, Any]:
        """Name -> part, of those that are there."""
        named = {one.name: getattr(self, one.name) for one in fields(self)}
        return {name: part for name, part in named.items() if part and name != "images"}


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
