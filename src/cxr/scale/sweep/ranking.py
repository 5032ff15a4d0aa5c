"""Trials ranked by the AUROC of their inner validation images, with intervals of differences.

The AUROC, not the log loss: it ranks, so it asks nothing of the calibration, which is fitted on
these very images, nor of the level of the probabilities, which label smoothing and balanced
classes move. Of several classes it is the mean, of several folds the mean again.

All trials see the same bootstrap of patients, so their differences are paired. The best of many is
picked after the fact; so intervals of differences hold for all pairs of trials at once: as many
standard errors as the largest of all studentised differences keeps within in 95 % of resamples
(max-t: Westfall and Young, 1993). They speak of other patients, not of other random numbers in
training.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._io import read_json
from ..._io.run_files import METRICS
from ..._stats.bootstrap import patient_weights
from ...errors import DataError
from ...evaluate import Predictions
from ...evaluate.intervals import ENOUGH_DEFINED, LEVEL, bootstrapped, with_interval
from ...evaluate.metrics import AUROC, binary
from ...evaluate.predictions import load_predictions
from ...evaluate.questions import class_questions
from ...evaluate.schema import Figure
from .plan import Space, Trial

RESAMPLES = 2000
SAME = "no interval: both say the same of every image"
TOO_FEW = "no interval: too few patients in one class"
Floats = NDArray[np.float64]
Row = dict[str, Any]


@dataclass(frozen=True, eq=False)
class TrialScore:
    """`auroc` with its interval, `resampled` (r,) the same under the shared bootstrap; `images`
    are those that it was measured on, in order.
    """

    auroc: Figure
    log_loss: float
    resampled: Floats
    images: tuple[str, ...]


def score_runs(folders: Sequence[Path], seed: int) -> TrialScore:
    """What finished runs, one for each fold, say of their validation images.

    Raises DataError where no AUROC can be had.
    """
    tables = [load_predictions(folder, "valid").predictions for folder in folders]
    stated = [read_json(folder / METRICS)["valid"] for folder in folders]
    if any(figures["auroc"]["value"] is None for figures in stated):
        reasons = (figures["auroc"].get("reason") for figures in stated)
        raise DataError(f"no AUROC to rank it by: {next(filter(None, reasons), 'undefined')}")
    draws = [_resampled(_by_path(table), seed + fold) for fold, table in enumerate(tables)]
    resampled = np.mean(draws, axis=0)
    auroc = stated[0]["auroc"]
    if len(stated) > 1:
        value = float(np.mean([figures["auroc"]["value"] for figures in stated]))
        n = sum(len(table) for table in tables)
        auroc = {**with_interval(AUROC, value, resampled, LEVEL), "n": n}
    return TrialScore(
        auroc,
        float(np.mean([figures["log_loss"]["value"] for figures in stated])),
        resampled,
        tuple(path for table in tables for path in sorted(table.table["path"])),
    )


def _by_path(predictions: Predictions) -> Predictions:
    """In an order that all trials share, so that they share the bootstrap."""
    table = predictions.table.sort_values("path", ignore_index=True)
    return Predictions(table, predictions.classes, predictions.multi_label, predictions.positive)


def _resampled(predictions: Predictions, seed: int) -> Floats:
    """(r,) AUROC, the mean over classes; NaN where a resample lacks one side of a class."""
    questions = class_questions(predictions)
    samples = [binary(one.truth, one.scores, one.truth) for one in questions]
    parts = []
    for weights in patient_weights(predictions.patient_groups, RESAMPLES, seed):
        each = [
            AUROC.of(sample, weights[:, one.rows])
            for one, sample in zip(questions, samples, strict=True)
        ]
        parts.append(np.mean(each, axis=0))
    return np.concatenate(parts)


def best_of(trials: Sequence[TrialScore]) -> list[int]:
    """Positions, the best first: by AUROC, then log loss, then their order."""
    return sorted(
        range(len(trials)),
        key=lambda i: (-trials[i].auroc["value"], trials[i].log_loss, i),
    )


class Lead(Figure, total=False):
    """`apart` says whether the interval leaves out 0; None for the best itself."""

    apart: bool | None


def behind(trials: Sequence[TrialScore], best: int) -> list[Lead]:
    """By how much the best leads each trial, with intervals that hold for all pairs at once."""
    values = np.array([trial.auroc["value"] for trial in trials])
    resampled = np.stack([trial.resampled for trial in trials], axis=1)
    defined = resampled[~np.isnan(resampled).any(axis=1)]
    if len(defined) < ENOUGH_DEFINED * len(resampled):
        leads: list[Figure] = [
            {"value": float(values[best] - value), "reason": TOO_FEW} for value in values
        ]
    else:
        moves = defined - values
        leads = _with_intervals(values[best] - values, moves[:, [best]] - moves, _reach(moves))
    return [
        {**lead, "apart": None if i == best else lead.get("low", 0.0) > 0}
        for i, lead in enumerate(leads)
    ]


def _reach(moves: Floats) -> float:
    """Standard errors within which all differences of two of the (r, trials) `moves` stay."""
    largest = np.zeros(len(moves))
    for first in range(moves.shape[1] - 1):
        differences = moves[:, [first]] - moves[:, first + 1 :]
        spread = differences.std(axis=0, ddof=1)
        differ = spread > 0
        t = np.abs(differences[:, differ]) / spread[differ]
        largest = np.maximum(largest, t.max(axis=1, initial=0.0))
    return float(np.quantile(largest, LEVEL))


def _with_intervals(values: Floats, differences: Floats, reach: float) -> list[Figure]:
    """`differences` (r, trials) are the resampled ones less `values` (trials,)."""
    spread = differences.std(axis=0, ddof=1)
    return [
        {"value": float(value), "reason": SAME}
        if se == 0
        else {
            "value": float(value),
            "low": float(value - reach * se),
            "high": float(value + reach * se),
        }
        for value, se in zip(values, spread, strict=True)
    ]


def optimism(inner: TrialScore, outer: TrialScore) -> Figure:
    """Inner less outer: what the choice of the best of many flatters, and what chance adds."""
    value = inner.auroc["value"] - outer.auroc["value"]
    return bootstrapped(value, inner.resampled - outer.resampled)


def rows_of(
    trials: Sequence[Trial],
    scores: Mapping[str, TrialScore],
    failed: Mapping[str, str],
    seconds: Mapping[str, float | None],
) -> list[Row]:
    """One for each trial, in JSON types; `behind_best` as `behind` gives it."""
    names = [trial.name for trial in trials if trial.name in scores]
    some = [scores[name] for name in names]
    leads = dict(zip(names, behind(some, best_of(some)[0]) if some else [], strict=True))
    rows = []
    for trial in trials:
        score = scores.get(trial.name)
        rows.append(
            {
                "trial": trial.name,
                "settings": trial.settings,
                "auroc": score.auroc if score else None,
                "log_loss": score.log_loss if score else None,
                "behind_best": leads.get(trial.name),
                "seconds": seconds.get(trial.name),
                "error": failed.get(trial.name),
            }
        )
    return rows


def choice_of(rows: Sequence[Row], scores: Mapping[str, TrialScore], space: Space) -> Row:
    """The best by inner AUROC, and which others the inner images cannot tell from it."""
    names = list(scores)
    order = [names[i] for i in best_of(list(scores.values()))]
    by_name = {row["trial"]: row for row in rows}
    best, default = by_name[order[0]], space.default()
    return {
        "made_on": "inner validation images alone",
        "judged_by": "auroc",
        "trial": order[0],
        "settings": best["settings"],
        "auroc": best["auroc"],
        "runner_up": order[1] if len(order) > 1 else None,
        "default": next((r["trial"] for r in rows if r["settings"] == default), None),
        "default_settings": default,
        "not_told_apart": [n for n in order[1:] if not by_name[n]["behind_best"]["apart"]],
    }
