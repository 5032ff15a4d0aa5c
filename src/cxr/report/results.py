"""From predictions to `metrics.json`, tables of predictions, `figures/` and the report."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from .._io import write_json
from .._io.run_files import METRICS, PREDICTIONS
from ..errors import UsageError
from ..evaluate.decision_curve import decision_curve
from ..evaluate.measure import about, measure
from ..evaluate.operating_point import operating_facts
from ..evaluate.predictions import Predictions, write_predictions
from . import ReportParts, write_report

SPLIT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


def evaluate_predictions(
    predictions: Mapping[str, Predictions],
    out: Path | str,
    *,
    threshold: float | None = None,
    seed: int = 0,
    resamples: int = 2000,
    prevalence: float | None = None,
    model_facts: Mapping[str, Any] | None = None,
    population: str = "",
    tables: str = PREDICTIONS,
    parts: ReportParts | None = None,
    rule: str = "",
    more: Mapping[str, Mapping[str, Any]] | None = None,
    before_done: Callable[[dict[str, Any]], object] | None = None,
) -> dict[str, Any]:
    """Measures each split and writes everything into `out`; returns what `metrics.json` holds.

    `predictions` maps split names to predictions. `threshold` is the operating point of two
    classes (None: 0.5, the more probable class); the tables are written as decided at it.
    `prevalence` adds the predictive values where the finding is so common (see `measure`).
    `model_facts` are shown in the report; its key `caveats`, a list of sentences, is shown first.
    `population` says in words whose images the model was trained on. `tables` names the tables.
    `parts` are results of other steps that the report shows: check, stress, training history.
    `rule` is what chose the threshold, in words. `more` adds to the figures of a split what a table
    of predictions cannot give: `calibration`, `subgroups`.
    `before_done` gets the figures when all but `metrics.json` is written, to add files of its own.
    `metrics.json` is written last: where it is, the folder is whole.
    """
    out = Path(out)
    _check_names(predictions, tables)
    point = 0.5 if threshold is None else threshold
    splits = {name: some.at(point) for name, some in predictions.items()}
    metrics: dict[str, Any] = {"about": about()}
    for name, some in splits.items():
        how: dict[str, Any] = {"prevalence": prevalence, "resamples": resamples, "seed": seed}
        metrics[name] = measure(some, point, **how)
        if some.binary:
            metrics[name]["operating_point"] = operating_facts(some, point, rule, **how)
            metrics[name]["decision_curve"] = decision_curve(some, **how)
        metrics[name] |= (more or {}).get(name, {})
        write_predictions(some, out / tables.format(split=name))
    write_report(
        out,
        metrics,
        splits,
        model_facts=model_facts or {},
        population=population,
        tables=tables,
        parts=parts,
    )
    if before_done is not None:
        before_done(metrics)
    write_json(out / METRICS, metrics)
    return metrics


def _check_names(predictions: Mapping[str, Predictions], tables: str) -> None:
    if not predictions:
        raise UsageError("no split to evaluate; give at least one, {'valid': predictions}")
    if len(predictions) > 1 and "{split}" not in tables:
        raise UsageError(f"one file {tables} for {len(predictions)} splits; add {{split}} to it")
    for name in predictions:
        if name == "about" or not SPLIT_NAME.fullmatch(name):
            raise UsageError(
                f"split name {name!r}; letters, digits, - and _ are allowed, 'about' is taken"
            )
