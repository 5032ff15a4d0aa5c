"""What a run knows of itself, gathered from the files of its folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from ..._io import read_json
from ..._io.run_files import CONFIG, ENVIRONMENT, MANIFEST, METRICS, MODEL, REPORT_JSON
from ...bundle.members import read_members
from ...errors import DataError

if TYPE_CHECKING:
    import pandas as pd

Json = Mapping[str, Any]
DESCRIBING = ("age", "sex", "view", "site")
SHOWN = 6
OLDEST = 90  # higher ages are shown as 90: among few people they would say who it is


@dataclass(frozen=True)
class Answer:
    """What a run knows about an item of a checklist, in plain text, and the file that says so."""

    text: str
    source: str


@dataclass(frozen=True)
class RunFacts:
    """All optional, in JSON types: what is missing is not provided in the checklists.

    settings: `config.yaml`. metrics: `metrics.json`. environment: `environment.json`. model: the
    `config.json` of the model file. flow: what the report's `flow_facts` gives (`found`,
    `left_out`, `splits`). described: split -> column (age, sex, view, site) -> a line that sums it
    up. patients: `known` and `unknown` images of, and `shared` patients between the splits. check,
    stress: `check.json`, `stress.json`. explanation, abstention: as in the report.
    population: whose images these are, in words.
    """

    settings: Json = field(default_factory=dict)
    metrics: Json = field(default_factory=dict)
    environment: Json = field(default_factory=dict)
    model: Json = field(default_factory=dict)
    flow: Json = field(default_factory=dict)
    described: Json = field(default_factory=dict)
    patients: Json = field(default_factory=dict)
    check: Json = field(default_factory=dict)
    stress: Json = field(default_factory=dict)
    explanation: Json = field(default_factory=dict)
    abstention: Json = field(default_factory=dict)
    population: str = ""

    @property
    def split(self) -> str:
        """The split that the figures are of: test, else validation; "" where there is none."""
        return next((name for name in ("test", "valid") if name in self.metrics), "")

    @property
    def figures(self) -> Json:
        figures: Json = self.metrics.get(self.split, {})
        return figures


def read_run_facts(run: Path | str, **more: Any) -> RunFacts:
    """From the files of a run folder, as far as they are there; `more` replaces what they say.

    Raises DataError for a file that is not what its name says.
    """
    run = Path(run)
    report = _json(run / REPORT_JSON)
    parts = report.get("parts", {})
    known = {one.name for one in fields(RunFacts)}
    facts = RunFacts(**{name: part for name, part in parts.items() if name in known})
    model = _model(run / MODEL)
    facts = replace(
        facts,
        settings=_settings(run / CONFIG) or facts.settings,
        metrics=_json(run / METRICS),
        environment=_json(run / ENVIRONMENT) or facts.environment,
        model=model,
        population=report.get("population") or model.get("population", ""),
    )
    return replace(facts, **{**_of_manifest(run / MANIFEST, facts), **more})


def _json(path: Path) -> Json:
    content = read_json(path) if path.is_file() else {}
    if not isinstance(content, dict):
        raise DataError(f"{path} holds no JSON object; it was not written by cxr")
    return content


def _settings(path: Path) -> Json:
    try:
        settings = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except (yaml.YAMLError, ValueError) as error:
        raise DataError(f"{path} is not valid YAML") from error
    if not isinstance(settings, dict):
        raise DataError(f"{path} holds no settings")
    return settings


def _model(path: Path) -> Json:
    if not path.is_file():
        return {}
    config: Json = json.loads(read_members(path)["config.json"])
    return config


def _of_manifest(path: Path, facts: RunFacts) -> dict[str, Any]:
    """`flow` where the report has none, `described` and `patients`."""
    if not path.is_file():
        return {}
    import pandas as pd

    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    if "split" not in table:
        return {}
    parts = {str(name): some for name, some in table.groupby("split") if name}
    return {
        "flow": facts.flow or _flow(table, parts, facts.model.get("classes", ())),
        "described": {name: _described(some) for name, some in parts.items()},
        "patients": _patients(table, parts),
    }


def _flow(
    table: pd.DataFrame, parts: Mapping[str, pd.DataFrame], classes: tuple[str, ...]
) -> dict[str, Any]:
    unused = len(table) - sum(map(len, parts.values()))
    return {
        "found": len(table),
        "left_out": [{"why": "unreadable or in no part", "n": unused}] if unused else [],
        "splits": {
            name: {**_count(some), "classes": {c: _count(_of_class(some, c)) for c in classes}}
            for name, some in parts.items()
        },
    }


def _of_class(table: pd.DataFrame, name: str) -> pd.DataFrame:
    if "label" in table:
        return table[table["label"] == name]
    return table[table[name] == "1"] if name in table else table[:0]


def _count(table: pd.DataFrame) -> dict[str, int | None]:
    names = set(table["patient"]) - {""} if "patient" in table else set()
    return {"n": len(table), "n_patients": len(names) or None}


def _described(table: pd.DataFrame) -> dict[str, str]:
    lines = {name: _summed_up(name, table[name]) for name in DESCRIBING if name in table}
    return {name: line for name, line in lines.items() if line}


def _summed_up(name: str, column: pd.Series[str]) -> str:
    """Median and range of ages, else the commonest values; how many are missing."""
    import pandas as pd

    known = column[column != ""]
    if known.empty:
        return ""
    if name == "age":
        ages = pd.to_numeric(known, errors="coerce").dropna()
        if ages.empty:
            return ""
        ages = ages.clip(upper=OLDEST)
        line = f"median {ages.median():g}, {ages.min():g} to {ages.max():g} years"
    else:
        counts = known.value_counts()
        line = ", ".join(f"{value}: {n:,}" for value, n in counts.head(SHOWN).items())
        line += f" and {len(counts) - SHOWN} more" if len(counts) > SHOWN else ""
    missing = len(column) - len(known)
    return f"{line}, {missing:,} not known" if missing else line


def _patients(table: pd.DataFrame, parts: Mapping[str, pd.DataFrame]) -> dict[str, int]:
    names = table["patient"] if "patient" in table else table["split"].str[:0]
    used = names[table["split"] != ""]
    sides = [set(names[some.index]) - {""} for some in parts.values()]
    every = [name for side in sides for name in side]
    return {
        "known": int((used != "").sum()),
        "unknown": int((used == "").sum()),
        "shared": len(every) - len(set(every)),
    }
