"""What is said of test images beside validation: held, not held, not known."""

from __future__ import annotations

from typing import Any

import pytest

from cxr.report.card import card_figures
from cxr.report.set_aside import against_validation, not_holding, shared_patients
from cxr.report.verdict import verdict_of

PATIENTS = {"NORMAL": 150, "PNEUMONIA": 252}
VALID: dict[str, Any] = {
    "n": 1047,
    "n_patients": 712,
    "auroc": {"value": 0.999, "low": 0.998, "high": 0.9995, "n": 1047},
}


def outcome(low: float, high: float, shared: int = 0) -> dict[str, Any]:
    same = {"value": 0.0, "low": -0.02, "high": 0.02}
    return {
        "n": 624,
        "n_patients": 402,
        "classes": ["NORMAL", "PNEUMONIA"],
        "positive": "PNEUMONIA",
        "multi_label": False,
        "auroc": {"value": 0.968, "low": 0.95, "high": 0.98, "n": 624},
        "sensitivity": {"value": 0.99, "low": 0.98, "high": 1.0, "n": 390},
        "specificity": {"value": 0.56, "low": 0.49, "high": 0.62, "n": 234},
        "ece": {"value": 0.2, "low": 0.17, "high": 0.23, "n": 624},
        "intervals": {"level": 0.95, "method": "bootstrap", "resamples": 2000, "seed": 1},
        "set_aside": {"shared_patients": shared, "shared_images": 2 * shared},
        "validation_minus_test": {
            "auroc": {"value": (low + high) / 2, "low": low, "high": high},
            "sensitivity": same,
            "specificity": same,
        },
    }


@pytest.mark.parametrize(
    ("low", "high", "told"),
    [
        (0.02, 0.05, "The figures on validation do not hold on test: AUROC +0.035"),
        (0.002, 0.008, "So the AUROC on validation holds on test, to within 0.01."),
        (0.002, 0.03, "too few to tell whether it holds on test to within 0.01"),
    ],
)
def test_what_follows_is_what_the_interval_bears(low: float, high: float, told: str) -> None:
    text = against_validation(outcome(low, high), VALID)
    assert text.startswith("On 1,047 validation images of 712 patients, which chose the model")
    assert told in text
    failing = low > 0.01
    assert bool(not_holding(outcome(low, high))) == failing
    verdict = verdict_of("test", outcome(low, high), {}, PATIENTS)
    assert ("do not hold on test" in verdict["doubt"]) == failing
    heads = [one["head"] for one in verdict["may_not"]]
    assert ("Quoting the figures on validation" in heads) == failing


def test_a_specificity_that_falls_counts_as_much() -> None:
    metrics = outcome(0.002, 0.008)
    metrics["validation_minus_test"]["specificity"] = {"value": 0.41, "low": 0.34, "high": 0.49}
    assert not_holding(metrics) == ["Specificity +0.410 (+0.340 to +0.490)"]
    assert "do not hold on test" in against_validation(metrics, VALID)


def test_an_undefined_area_is_not_compared() -> None:
    metrics = outcome(0.0, 0.0)
    metrics["validation_minus_test"]["auroc"] = {"value": None, "reason": "one class is missing"}
    assert against_validation(metrics, VALID).endswith("compared: one class is missing.")
    assert not_holding(metrics) == []


def test_shared_patients_are_said_and_doubted() -> None:
    metrics = outcome(0.0, 0.02, shared=1)
    told = "1 patient with 2 of 624 test images is among the training and validation images"
    assert shared_patients(metrics).startswith(told)
    assert shared_patients(outcome(0.0, 0.02)) == "" and shared_patients(VALID) == ""
    assert "too good" in verdict_of("test", metrics, {}, PATIENTS)["doubt"]
    assert told in card_figures(metrics, "test", VALID).summary


def test_the_card_speaks_of_both() -> None:
    card = card_figures(outcome(0.02, 0.05), "test", VALID)
    first = "On 624 test images of 402 patients, set aside before training, its AUROC is 0.968"
    assert card.summary.startswith(first)
    for text in (card.summary, card.evaluation):
        assert "the AUROC was 0.999 (0.998 to 1.000)" in text and "do not hold on test" in text
    alone = card_figures({**VALID, "intervals": {}}, "valid").summary
    assert alone.startswith("On 1,047 images of 712 patients of the validation part")
