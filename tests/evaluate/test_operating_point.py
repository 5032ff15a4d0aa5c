from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cxr.errors import UsageError
from cxr.evaluate import make_predictions, measure
from cxr.evaluate.operating_point import summarise_operating_point


def made(right: int, missed: int, cleared: int, alarms: int, **more: Any) -> Any:
    truth = np.repeat([1, 1, 0, 0], [right, missed, cleared, alarms])
    p = np.repeat([0.9, 0.1, 0.1, 0.9], [right, missed, cleared, alarms])
    names = [f"{i}.png" for i in range(len(p))]
    return make_predictions(names, np.c_[1 - p, p], truth, ("normal", "sick"), **more)


def row_at(facts: dict[str, Any], prevalence: float) -> dict[str, Any]:
    return next(row for row in facts["patients"] if row["prevalence"] == prevalence)


def test_a_thousand_patients_by_hand() -> None:
    facts = summarise_operating_point(made(90, 10, 80, 20), 0.5, "youden", resamples=100)
    assert (facts["rule"], facts["threshold"]) == ("youden", 0.5)
    row = row_at(facts, 0.2)
    assert (row["with_finding"], row["found"], row["missed"]["value"]) == (200, 180, 20)
    assert row["false_alarms"]["value"] == 160
    assert row["ppv"]["value"] == pytest.approx(180 / 340)
    assert row["npv"]["value"] == pytest.approx(640 / 660)
    assert not row["here"]
    assert [row["prevalence"] for row in facts["patients"]] == [0.01, 0.05, 0.2, 0.5]
    assert facts["patients"][-1]["here"]


def test_it_agrees_with_the_figures_at_a_stated_prevalence(simulate_binary: Any) -> None:
    predictions = simulate_binary()
    metrics = measure(predictions, 0.4, resamples=200, seed=3, prevalence=0.1)
    facts = summarise_operating_point(predictions, 0.4, prevalence=0.1, resamples=200, seed=3)
    row = row_at(facts, 0.1)
    for name in ("ppv", "npv"):
        figure = metrics[f"{name}_at_prevalence"]
        assert row[name] == pytest.approx(figure)
    sensitivity = metrics["sensitivity"]
    assert row["missed"]["low"] == round(100 * (1 - sensitivity["high"]))
    assert row["missed"]["high"] == round(100 * (1 - sensitivity["low"]))
    assert facts["sentence"].startswith("Of 1,000 patients with one image each, 100 of them with")


def test_here_are_the_predictive_values_of_the_images_themselves(simulate_binary: Any) -> None:
    predictions = simulate_binary()
    metrics = measure(predictions, 0.6, resamples=100)
    rows = summarise_operating_point(predictions, 0.6, resamples=100)["patients"]
    row = next(r for r in rows if r["here"])
    assert row["prevalence"] == pytest.approx(metrics["prevalence"]["value"])
    assert row["ppv"]["value"] == pytest.approx(metrics["ppv"]["value"])
    assert row["npv"]["value"] == pytest.approx(metrics["npv"]["value"])


def test_no_false_alarm_seen_is_no_certainty() -> None:
    row = row_at(summarise_operating_point(made(45, 5, 40, 0), 0.5, resamples=100), 0.2)
    assert row["false_alarms"]["value"] == 0
    assert row["false_alarms"]["high"] > 50  # the exact interval of 0 in 40 reaches 8.8 %
    assert row["ppv"]["value"] == 1
    assert row["ppv"]["low"] < 0.8
    assert row["ppv"]["high"] == 1


def test_where_no_answer_is_positive_none_is_right() -> None:
    facts = summarise_operating_point(made(0, 30, 30, 0), 0.5, resamples=100)
    assert row_at(facts, 0.2)["ppv"]["value"] is None
    assert facts["sentence"].endswith("no answer is positive.")
    assert "200 (177 to 200) missed" in facts["sentence"]


@pytest.mark.parametrize(
    ("counts", "why"), [((5, 5, 0, 0), "every image has"), ((0, 0, 5, 5), "no image has")]
)
def test_one_class_has_no_rows(counts: tuple[int, ...], why: str) -> None:
    facts = summarise_operating_point(made(*counts), 0.5, resamples=100)
    assert facts["patients"] == []
    assert why in facts["sentence"]


def test_what_cannot_be_asked_is_refused(simulate_binary: Any, simulate_classes: Any) -> None:
    with pytest.raises(UsageError, match="threshold 2"):
        summarise_operating_point(simulate_binary(), 2)
    with pytest.raises(UsageError, match="prevalence 0"):
        summarise_operating_point(simulate_binary(), 0.5, prevalence=0.0)
    with pytest.raises(UsageError, match="for 3 classes"):
        summarise_operating_point(simulate_classes(), 0.5)
