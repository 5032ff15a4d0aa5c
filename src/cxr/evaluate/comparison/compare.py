"""Is one model better than another? Both on the same images, pair by pair.

Differences are the second model's figure minus the first's. Their intervals come from one patient
bootstrap that both models share; DeLong's and McNemar's tests, which are what papers ask for, take
images as independent and so promise too much where patients have several.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._io import write_json
from ..intervals import bootstrapped, check_resamples
from ..measure import count_patients, interval_settings
from ..metrics import ACCURACY, AUROC, SENSITIVITY, SPECIFICITY, Metric, Proportion, Sample, binary
from ..predictions import Predictions
from ..predictions.saved import SavedPredictions, load_predictions
from ..questions import Question, resample
from ..schema import about, undefined
from .pair import paired
from .significance import delong_test, mcnemar_test

TWO_CLASSES = (AUROC, ACCURACY, SENSITIVITY, SPECIFICITY)
METHOD = "patient bootstrap of the paired difference, percentiles"
MORE_CLASSES = "needs two classes"
NOT_NOTED = "not noted beside the table, whose decisions are taken as they are"


def compare_models(
    a: Path | str,
    b: Path | str,
    out: Path | str | None = None,
    *,
    split: str | None = None,
    resamples: int = 2000,
    seed: int = 0,
) -> dict[str, Any]:
    """Compares two models by the predictions they left, and writes `compare.json` into `out`.

    `a` and `b` are run folders, folders of `cxr evaluate` or tables (see `load_predictions`);
    decisions are those of the tables, each at its own model's threshold. Returns what
    `compare.json` holds.
    Raises as `load_predictions` and `compare_predictions`.
    """
    first, second = (load_predictions(place, split) for place in (a, b))
    figures = compare_predictions(
        first.predictions, second.predictions, resamples=resamples, seed=seed
    )
    models = {"a": _model(first), "b": _model(second)}
    result = {"about": about(), **models, **figures}
    if out is not None:
        write_json(Path(out) / "compare.json", result)
    return result


def compare_predictions(
    a: Predictions, b: Predictions, *, resamples: int = 2000, seed: int = 0
) -> dict[str, Any]:
    """Differences, b minus a, with 95 % intervals of the patient bootstrap, and two tests.

    Decisions are the `predicted` columns, so `predictions.at(threshold)` sets the operating point.
    With three or more classes only accuracy is compared. Raises DataError when the two are not of
    the same images, labels and patients, UsageError for fewer than 100 resamples.
    """
    check_resamples(resamples)
    a, b = paired(a, b)
    samples = _sample(a), _sample(b)
    return {
        "n": len(a),
        "n_patients": count_patients(a),
        "classes": list(a.classes),
        "positive": a.positive,
        "splits": sorted({str(name) for name in a.table["split"]} if "split" in a.table else []),
        "intervals": interval_settings(METHOD, resamples, seed),
        "difference": _differences(samples, a.patient_groups, resamples, seed),
        "delong": _delong(samples),
        "mcnemar": mcnemar_test(samples[0].correct, samples[1].correct),
    }


def _model(saved: SavedPredictions) -> dict[str, Any]:
    threshold = saved.threshold if saved.threshold is not None else undefined(NOT_NOTED)
    return {"predictions": str(saved.file), "threshold": threshold}


def _sample(predictions: Predictions) -> Sample:
    decided = predictions.predicted
    if not predictions.binary:
        return Sample(predictions.targets, decided, predictions.probabilities)
    i = predictions.positive_index
    return binary(predictions.targets == i, predictions.probabilities[:, i], decided == i)


def _differences(
    samples: tuple[Sample, Sample], groups: NDArray[np.int64], resamples: int, seed: int
) -> dict[str, Any]:
    two = samples[0].classes == 2
    metrics: tuple[Metric, ...] = TWO_CLASSES if two else (ACCURACY,)
    every = np.arange(len(groups))
    asked = [(Question("", sample, every), metrics) for sample in samples]
    a, b = resample(asked, groups, resamples, seed)
    skipped = {} if two else {m.name: undefined(MORE_CLASSES) for m in TWO_CLASSES}
    return skipped | {m.name: _difference(m, samples, b[m.name] - a[m.name]) for m in metrics}


def _difference(
    metric: Metric, samples: tuple[Sample, Sample], resampled: NDArray[np.float64]
) -> dict[str, Any]:
    one = np.ones((1, len(samples[0].actual)))
    a, b = (float(metric.of(sample, one)[0]) for sample in samples)
    if np.isnan(a):  # the truth is shared, so both are
        return {**undefined(metric.undefined)}
    n = metric.parts(samples[0])[1].sum() if isinstance(metric, Proportion) else one.size
    return {**bootstrapped(b - a, resampled), "n": int(n), "a": a, "b": b}


def _delong(samples: tuple[Sample, Sample]) -> dict[str, Any]:
    a, b = samples
    if a.classes != 2:
        return {**undefined(MORE_CLASSES)}
    return delong_test(a.actual == 1, a.probabilities[:, 1], b.probabilities[:, 1])
