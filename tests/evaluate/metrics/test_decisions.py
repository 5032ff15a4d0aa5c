from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn import metrics as sk

from cxr.errors import UsageError
from cxr.evaluate import make_predictions, measure
from cxr.report import page
from cxr.report.results import MeasureSettings, evaluate_predictions
from helpers.figures import undrawn


@pytest.mark.parametrize("prevalence", [0.01, 0.2, 0.9])
def test_a_sample_weighted_to_that_prevalence(prevalence: float, simulate_binary: Any) -> None:
    predictions = simulate_binary()
    got = measure(predictions, 0.4, resamples=100, prevalence=prevalence)
    truth, said = predictions.targets == 1, predictions.probabilities[:, 1] >= 0.4
    weight = np.where(truth, prevalence / truth.mean(), (1 - prevalence) / (~truth).mean())
    ppv = sk.precision_score(truth, said, sample_weight=weight)
    npv = sk.precision_score(~truth, ~said, sample_weight=weight)
    for name, value in (("ppv_at_prevalence", ppv), ("npv_at_prevalence", npv)):
        assert got[name]["value"] == pytest.approx(value)
        assert got[name]["low"] < value < got[name]["high"] and got[name]["n"] == 300
    assert got["stated_prevalence"] == prevalence


def test_at_the_prevalence_of_the_sample_nothing_changes(simulate_binary: Any) -> None:
    predictions = simulate_binary()
    plain = measure(predictions, resamples=100)
    assert "ppv_at_prevalence" not in plain and "stated_prevalence" not in plain
    got = measure(predictions, resamples=100, prevalence=plain["prevalence"]["value"])
    for name in ("ppv", "npv"):
        assert got[f"{name}_at_prevalence"]["value"] == pytest.approx(plain[name]["value"])
    assert {name: got[name] for name in plain} == plain


def test_undefined_where_nothing_is_said_or_a_class_is_missing() -> None:
    p = np.array([0.2, 0.3, 0.1, 0.4])
    for truth, undefined in (([0, 1, 0, 1], ["ppv"]), ([1, 1, 1, 1], ["ppv", "npv"])):
        predictions = make_predictions("abcd", np.c_[1 - p, p], truth, ("normal", "sick"))
        got = measure(predictions, resamples=100, prevalence=0.1)
        for name in ("ppv", "npv"):
            figure = got[f"{name}_at_prevalence"]
            assert (figure["value"] is None) == (name in undefined)
            assert "reason" in figure
        json.dumps(got, allow_nan=False)


@pytest.mark.parametrize("prevalence", [0.0, 1.0, -0.1, 20, float("nan")])
def test_no_share(prevalence: float, simulate_binary: Any) -> None:
    with pytest.raises(UsageError, match="above 0 and below 1 is needed"):
        measure(simulate_binary(n=40), prevalence=prevalence)


def test_one_finding_only(simulate_classes: Any, simulate_labels: Any) -> None:
    for predictions in (simulate_classes(), simulate_labels()):
        with pytest.raises(UsageError, match="for 3 classes; one finding is needed"):
            measure(predictions, prevalence=0.2)


def test_the_report_names_the_prevalence(
    tmp_path: Path, simulate_binary: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "render_figures", undrawn)
    settings = MeasureSettings(resamples=100, prevalence=0.15)
    evaluate_predictions({"test": simulate_binary(n=60)}, tmp_path, settings)
    report = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "PPV elsewhere" in report and "at the stated prevalence: 0.15" in report
    assert "Calibration slope" in report
