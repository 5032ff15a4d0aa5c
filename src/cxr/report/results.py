"""From predictions to `metrics.json`, tables of predictions, `figures/` and the report."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .._io import write_json
from .._io.run_files import METRICS
from ..errors import UsageError
from ..evaluate.comparison.unpaired import differences
from ..evaluate.decision_curve import decision_curve
from ..evaluate.measure import measure
from ..evaluate.operating_point import summarise_operating_point
from ..evaluate.predictions import Predictions, Threshold, write_predictions
from ..evaluate.schema import about
from .context import ReportContext
from .page import write_report

SPLIT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


@dataclass(frozen=True)
class MeasureSettings:
    """How predictions are measured.

    threshold: that of two classes, or one for each of several labels (None: 0.5); the tables
    are written as decided at it. rule: what chose it, in words. prevalence: adds the predictive
    values where the finding is so common (see `measure`). resamples, seed: of the bootstrap.
    """

    threshold: Threshold | None = None
    rule: str = ""
    prevalence: float | None = None
    resamples: int = 2000
    seed: int = 0


def evaluate_predictions(
    predictions: Mapping[str, Predictions],
    out: Path | str,
    settings: MeasureSettings = MeasureSettings(),
    context: ReportContext = ReportContext(),  # noqa: B008, it is frozen
    *,
    more: Mapping[str, Mapping[str, Any]] | None = None,
    before_done: Callable[[dict[str, Any]], object] | None = None,
) -> dict[str, Any]:
    """Measures each split and writes everything into `out`; returns what `metrics.json` holds.

    `predictions` maps split names to predictions, `context` is what the report shows besides.
    `more` adds to the figures of a split what a table of predictions cannot give: `calibration`,
    `subgroups`, and `set_aside` for test images. Where both are measured, `validation_minus_test`
    stands with test. `before_done` gets the figures when all but `metrics.json` is written, to add
    files of its own. `metrics.json` is written last: where it is, the folder is whole.
    Raises UsageError for no split, or a name of a split or a table that cannot be a file's.
    """
    out = Path(out)
    _check_names(predictions, context.tables)
    point = 0.5 if settings.threshold is None else settings.threshold
    splits = {name: some.at(point) for name, some in predictions.items()}
    metrics: dict[str, Any] = {"about": about()}
    for name, some in splits.items():
        metrics[name] = _measured(some, point, settings) | dict((more or {}).get(name, {}))
        write_predictions(some, out / context.tables.format(split=name))
    if "valid" in metrics and "test" in metrics:
        metrics["test"]["validation_minus_test"] = differences(metrics["valid"], metrics["test"])
    write_report(out, metrics, splits, context)
    if before_done is not None:
        before_done(metrics)
    write_json(out / METRICS, metrics)
    return metrics


def _measured(
    predictions: Predictions, point: Threshold, settings: MeasureSettings
) -> dict[str, Any]:
    how: dict[str, Any] = {
        "prevalence": settings.prevalence,
        "resamples": settings.resamples,
        "seed": settings.seed,
    }
    metrics = measure(predictions, point, **how)
    if predictions.binary and not isinstance(point, tuple):
        rule = settings.rule
        metrics["operating_point"] = summarise_operating_point(predictions, point, rule, **how)
        metrics["decision_curve"] = decision_curve(predictions, **how)
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
