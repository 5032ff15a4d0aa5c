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
from ..._stats.bootstrap import patient_weights
from ..intervals import Figure, bootstrapped, undefined
from ..measure import LEVEL, about, check_resamples, count_patients
from ..metrics import Metric, Proportion, Sample, binary
from ..metrics.accuracy import ACCURACY
from ..metrics.auroc import AUROC
from ..metrics.sensitivity import SENSITIVITY
from ..metrics.specificity import SPECIFICITY
from ..predictions import Predictions
from ..saved import Saved, load_saved
from .delong import delong_test
from .mcnemar import mcnemar_test
from .pair import paired

TWO_CLASSES = (AUROC, ACCURACY, SENSITIVITY, SPECIFICITY)
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

    `a` and `b` are run folders, folders of `cxr evaluate` or tables (see `load_saved`); decisions
    are those of the tables, each at its own model's threshold. Returns what `compare.json` holds.
    Raises as `load_saved` and `compare_predictions`.
    """
    first, second = (load_saved(place, split) for place in (a, b))
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
    groups = a.patient_groups
    return {
        "n": len(a),
        "n_patients": count_patients(a),
        "classes": list(a.classes),
        "positive": a.positive,
        "splits": sorted({str(name) for name in a.table["split"]} if "split" in a.table else []),
        "intervals": {
            "level": LEVEL,
            "method": "patient bootstrap of the paired difference, percentiles",
            "resamples": resamples,
            "seed": seed,
        },
        "difference": _differences(samples, groups, resamples, seed),
        "delong": _delong(samples),
        "mcnemar": mcnemar_test(samples[0].correct, samples[1].correct),
    }


def _model(saved: Saved) -> dict[str, Any]:
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
) -> dict[str, Figure]:
    two = samples[0].classes == 2
    metrics: tuple[Metric, ...] = TWO_CLASSES if two else (ACCURACY,)
    drawn: dict[str, list[NDArray[np.float64]]] = {metric.name: [] for metric in metrics}
    for weights in patient_weights(groups, resamples, seed):
        for metric in metrics:
            drawn[metric.name].append(_minus(metric, samples, weights))
    skipped = {} if two else {m.name: undefined(MORE_CLASSES) for m in TWO_CLASSES}
    return skipped | {
        metric.name: _difference(metric, samples, np.concatenate(drawn[metric.name]))
        for metric in metrics
    }


def _minus(
    metric: Metric, samples: tuple[Sample, Sample], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    a, b = samples
    return metric.of(b, weights) - metric.of(a, weights)


def _difference(
    metric: Metric, samples: tuple[Sample, Sample], resampled: NDArray[np.float64]
) -> Figure:
    one = np.ones((1, len(samples[0].actual)))
    a, b = (float(metric.of(sample, one)[0]) for sample in samples)
    if np.isnan(a):  # the truth is shared, so both are
        return undefined(metric.undefined)
    n = metric.parts(samples[0])[1].sum() if isinstance(metric, Proportion) else one.size
    return {**bootstrapped(b - a, resampled, LEVEL), "n": int(n), "a": a, "b": b}


def _delong(samples: tuple[Sample, Sample]) -> Figure:
    a, b = samples
    if a.classes != 2:
        return undefined(MORE_CLASSES)
    return delong_test(a.actual == 1, a.probabilities[:, 1], b.probabilities[:, 1], LEVEL)
