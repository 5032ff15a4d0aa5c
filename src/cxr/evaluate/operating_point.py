"""What the operating point means in patients: found, missed and false alarms among 1,000 of them.

Sensitivity and specificity carry over to a population where the finding is rarer; predictive values
follow from them by Bayes' rule (Altman and Bland, 1994, doi:10.1136/bmj.309.6947.102).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._io.text import percent_text
from .intervals import check_resamples, figure
from .measure import check_prevalence, check_threshold
from .metrics import SENSITIVITY, SPECIFICITY, Metric, at_prevalence
from .metrics.decisions import by_bayes
from .predictions import Predictions
from .questions import Question, questions_of, resample
from .schema import Figure

PREVALENCES = (0.01, 0.05, 0.2)
IN_THE_SENTENCE = 0.2  # the prevalence that it speaks of where none is stated
PATIENTS = 1000
RATES = (SENSITIVITY, SPECIFICITY)


def summarise_operating_point(
    predictions: Predictions,
    threshold: float,
    rule: str = "",
    *,
    prevalences: Sequence[float] = PREVALENCES,
    prevalence: float | None = None,
    resamples: int = 2000,
    seed: int = 0,
) -> dict[str, Any]:
    """`{"rule", "threshold", "sentence", "patients": [rows]}` of two classes, in JSON types.

    A row for each of `prevalences`, for `prevalence` (the stated one, which the sentence then
    speaks of) and for that of these images (`here`), rising: of 1,000 patients with one image each
    `with_finding`, `found`, and as figures `missed` and `false_alarms`; `ppv` and `npv` with the
    intervals that `measure` gives them. Without images of both classes there are no rows and the
    sentence says why. `rule` is how the threshold was chosen, "" where that is not known.
    Raises UsageError for other than two classes, a threshold outside 0 to 1, or what `measure`
    refuses as prevalence or `resamples`.
    """
    in_the_sentence = IN_THE_SENTENCE if prevalence is None else prevalence
    check_threshold(threshold)
    check_resamples(resamples)
    for share in (*prevalences, in_the_sentence):
        check_prevalence(predictions, share)
    (question,) = questions_of(predictions, threshold)
    facts: dict[str, Any] = {"rule": rule, "threshold": float(threshold)}
    if not question.has_both:
        missing = "every" if question.truth.any() else "no"
        sentence = f"What this threshold means for patients cannot be said: {missing} image has"
        return facts | {"sentence": f"{sentence} the finding.", "patients": []}
    measured = _measured(question, predictions.patient_groups, resamples, seed)
    here = float(question.truth.mean())
    stated = [] if prevalence is None else [float(prevalence)]
    return facts | {
        "sentence": operating_sentence(question.name, _row(in_the_sentence, measured)),
        "patients": [
            _row(share, measured) | {"here": share == here}
            for share in sorted({*map(float, prevalences), *stated, here})
        ],
    }


def operating_sentence(positive: str, row: dict[str, Any]) -> str:
    """`Of 1,000 patients with one image each, 200 of them with PNEUMONIA: ...`."""
    if row["ppv"]["value"] is None:
        right = "no answer is positive"
    else:
        right = f"a positive answer is right in {percent_text(row['ppv'])} of cases"
    positives = row["with_finding"]
    return (
        f"Of {PATIENTS:,} patients with one image each, {positives} of them with {positive}: "
        f"{_count(row['missed'])} missed, and {_count(row['false_alarms'])} false alarms among the "
        f"{PATIENTS - positives} without; {right}."
    )


@dataclass(frozen=True, eq=False)
class _Measured:
    """Sensitivity and specificity as figures, and in each resample: `drawn` (2, r)."""

    question: Question
    groups: NDArray[np.int64]
    rates: list[Figure]
    drawn: NDArray[np.float64]


def _measured(
    question: Question, groups: NDArray[np.int64], resamples: int, seed: int
) -> _Measured:
    (values,) = resample([(question, RATES)], groups, resamples, seed)
    rates = [figure(rate, question.sample, groups, values[rate.name]) for rate in RATES]
    return _Measured(question, groups, rates, np.stack([values[rate.name] for rate in RATES]))


def _row(share: float, measured: _Measured) -> dict[str, Any]:
    sensitivity, specificity = measured.rates
    positives = round(PATIENTS * share)
    missed = _lost(positives, sensitivity)
    ppv, npv = at_prevalence(share)
    return {
        "prevalence": share,
        "with_finding": positives,
        "found": positives - missed["value"],
        "missed": missed,
        "false_alarms": _lost(PATIENTS - positives, specificity),
        "ppv": _predictive_value(ppv, share, measured, 1),
        "npv": _predictive_value(npv, 1 - share, measured, -1),
    }


def _lost(of: int, rate: Figure) -> Figure:
    """Patients among `of` whom the rate leaves out, as whole numbers."""
    lost: Figure = {"value": round(of * (1 - rate["value"]))}
    if "low" not in rate:
        return {**lost, "reason": rate["reason"]}
    return {
        "low": round(of * (1 - rate["high"])),
        **lost,
        "high": round(of * (1 - rate["low"])),
    }


def _predictive_value(metric: Metric, share: float, measured: _Measured, order: int) -> Figure:
    """Where no resample differs, as after no false alarm at all, that is no certainty: then both
    rates are taken at the same end of their intervals, which is rather too wide."""
    shares = share, 1 - share
    drawn = by_bayes(shares, *measured.drawn[::order])
    value = figure(metric, measured.question.sample, measured.groups, drawn)
    right, other = measured.rates[::order]
    if value["value"] is None or "low" in value or not ("low" in right and "low" in other):
        return value
    return {
        "value": value["value"],
        "low": float(by_bayes(shares, right["low"], other["low"])),
        "high": float(by_bayes(shares, right["high"], other["high"])),
        "n": value["n"],
    }


def _count(figure: Figure) -> str:
    if "low" not in figure:
        return f"{figure['value']}"
    return f"{figure['value']} ({figure['low']} to {figure['high']})"
