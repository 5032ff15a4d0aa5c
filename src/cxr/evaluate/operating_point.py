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
from .._stats.bootstrap import patient_weights, ratio
from ..errors import UsageError
from .intervals import Figure, figure
from .measure import LEVEL, check_prevalence, check_resamples
from .metrics import Binary, Metric, at_prevalence, binary
from .metrics.sample import Floats
from .metrics.sensitivity import SENSITIVITY
from .metrics.specificity import SPECIFICITY
from .predictions import Predictions

PREVALENCES = (0.01, 0.05, 0.2)
SPOKEN_OF = 0.2  # the sentence's prevalence where none is stated
PATIENTS = 1000
RATES = (SENSITIVITY, SPECIFICITY)


def operating_facts(
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
    `ill`, `found`, and as figures `missed` and `false_alarms`; `ppv` and `npv` with the intervals
    that `measure` gives them. Without images of both classes there are no rows and the sentence
    says why. `rule` is how the threshold was chosen, "" where that is not known.
    Raises UsageError for other than two classes, a threshold outside 0 to 1, or what `measure`
    refuses as prevalence or `resamples`.
    """
    spoken_of = SPOKEN_OF if prevalence is None else prevalence
    _check(predictions, threshold, (*prevalences, spoken_of), resamples)
    index = predictions.positive_index
    truth, decided = predictions.targets == index, predictions.decide(threshold) == index
    facts: dict[str, Any] = {"rule": rule, "threshold": float(threshold)}
    if truth.all() or not truth.any():
        missing = "every image has the finding" if truth.any() else "no image has the finding"
        sentence = f"What this threshold means for patients cannot be said: {missing}."
        return facts | {"sentence": sentence, "patients": []}
    sample = binary(truth, predictions.probabilities[:, index], decided)
    measured = _measured(sample, predictions.patient_groups, resamples, seed)
    here = float(truth.mean())
    stated = [] if prevalence is None else [float(prevalence)]
    return facts | {
        "sentence": operating_sentence(str(predictions.positive), _row(spoken_of, measured)),
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
    return (
        f"Of {PATIENTS:,} patients with one image each, {row['ill']} of them with {positive}: "
        f"{_count(row['missed'])} missed, and {_count(row['false_alarms'])} false alarms among the "
        f"{PATIENTS - row['ill']} without; {right}."
    )


@dataclass(frozen=True, eq=False)
class _Measured:
    """Sensitivity and specificity as figures, and in each resample: `drawn` (2, r)."""

    sample: Binary
    groups: NDArray[np.int64]
    rates: list[Figure]
    drawn: Floats


def _measured(sample: Binary, groups: NDArray[np.int64], resamples: int, seed: int) -> _Measured:
    weights = patient_weights(groups, resamples, seed)
    drawn = np.hstack([[rate.of(sample, some) for rate in RATES] for some in weights])
    rates = [
        figure(rate, sample, groups, some, LEVEL) for rate, some in zip(RATES, drawn, strict=True)
    ]
    return _Measured(sample, groups, rates, drawn)


def _row(share: float, measured: _Measured) -> dict[str, Any]:
    found, cleared = measured.rates
    ill = round(PATIENTS * share)
    missed = _lost(ill, found)
    ppv, npv = at_prevalence(share)
    return {
        "prevalence": share,
        "ill": ill,
        "found": ill - missed["value"],
        "missed": missed,
        "false_alarms": _lost(PATIENTS - ill, cleared),
        "ppv": _predictive_value(ppv, share, measured, 1),
        "npv": _predictive_value(npv, 1 - share, measured, -1),
    }


def _lost(of: int, rate: Figure) -> Figure:
    """Patients among `of` whom the rate leaves out, as whole numbers."""
    ends = {"low": "high", "value": "value", "high": "low"}
    lost = {end: round(of * (1 - rate[other])) for end, other in ends.items() if other in rate}
    return lost | ({} if "low" in rate else {"reason": rate["reason"]})


def _predictive_value(metric: Metric, share: float, measured: _Measured, order: int) -> Figure:
    """Where no resample differs, as after no false alarm at all, that is no certainty: then both
    rates are taken at the same end of their intervals, which is rather too wide."""
    drawn = _bayes(share, *measured.drawn[::order])
    value = figure(metric, measured.sample, measured.groups, drawn, LEVEL)
    right, cleared = measured.rates[::order]
    if value["value"] is None or "low" in value or not ("low" in right and "low" in cleared):
        return value
    ends = {end: float(_bayes(share, right[end], cleared[end])) for end in ("low", "high")}
    return {"value": value["value"], **ends, "n": value["n"]}


def _bayes(share: float, right: float | Floats, cleared: float | Floats) -> Floats:
    """NaN where no answer is of this kind."""
    hits = np.asarray(share * right)
    return ratio(hits, hits + (1 - share) * (1 - np.asarray(cleared)))


def _count(figure: Figure) -> str:
    if "low" not in figure:
        return f"{figure['value']}"
    return f"{figure['value']} ({figure['low']} to {figure['high']})"


def _check(
    predictions: Predictions, threshold: float, shares: Sequence[float], resamples: int
) -> None:
    if not 0 <= threshold <= 1:
        raise UsageError(f"threshold {threshold}; a probability from 0 to 1 is needed")
    check_resamples(resamples)
    for share in shares:
        check_prevalence(predictions, share)
