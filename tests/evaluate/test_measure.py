from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from sklearn import metrics as sk

from cxr.errors import UsageError
from cxr.evaluate import make_predictions, measure
from cxr.evaluate.measure import NO_PATIENTS, SOME_PATIENTS

AGREED = {
    "n", "n_patients", "prevalence", "threshold", "accuracy", "error_rate", "auroc", "auprc",
    "sensitivity", "specificity", "ppv", "npv", "f1", "brier", "ece",
}  # fmt: skip


def test_two_classes_have_every_agreed_figure_with_its_interval(simulate_binary: Any) -> None:
    predictions = simulate_binary()
    got = measure(predictions, resamples=200)
    assert set(got) >= AGREED
    for name in AGREED - {"n", "n_patients", "threshold"}:
        assert got[name]["low"] <= got[name]["value"] <= got[name]["high"], name
        assert 0 < got[name]["n"] <= got["n"]
    assert got["n"] == 300
    assert got["n_patients"] == len(set(predictions.table["patient"]))
    assert got["threshold"] == 0.5
    assert got["positive"] == "PNEUMONIA"
    json.dumps(got, allow_nan=False)


def test_thresholded_figures_follow_the_threshold(simulate_binary: Any) -> None:
    predictions = simulate_binary()
    got = measure(predictions, 0.8, resamples=100)
    decided = predictions.probabilities[:, 1] >= 0.8
    assert got["threshold"] == 0.8
    assert got["accuracy"]["value"] == pytest.approx((decided == predictions.targets).mean())
    matrix = sk.confusion_matrix(predictions.targets, decided)
    assert got["confusion_matrix"] == matrix.tolist()
    assert got["sensitivity"]["n"] == matrix[1].sum()
    assert got["ppv"]["n"] == matrix[:, 1].sum()


def test_the_positive_class_may_be_the_first(simulate_binary: Any) -> None:
    first = measure(simulate_binary(classes=("NORMAL", "PNEUMONIA")), resamples=100)
    renamed = simulate_binary(classes=("PNEUMONIA", "NORMAL"))
    second = measure(renamed, resamples=100)
    assert second["positive"] == "PNEUMONIA"
    assert second["sensitivity"] == first["specificity"]
    assert second["auroc"]["value"] == pytest.approx(first["auroc"]["value"])


def test_the_same_seed_gives_the_same_figures(simulate_binary: Any) -> None:
    predictions = simulate_binary()
    assert measure(predictions, resamples=100) == measure(predictions, resamples=100)
    other = measure(predictions, resamples=100, seed=1)
    assert other["auroc"] != measure(predictions, resamples=100)["auroc"]


def test_more_classes_one_against_the_rest(simulate_classes: Any) -> None:
    predictions = simulate_classes()
    got = measure(predictions, resamples=100)
    y, p, decided = predictions.targets, predictions.probabilities, predictions.decide()
    macro = sk.roc_auc_score(y, p, multi_class="ovr", average="macro")
    assert got["auroc"]["value"] == pytest.approx(macro)
    assert got["f1"]["value"] == pytest.approx(sk.f1_score(y, decided, average="macro"))
    assert got["accuracy"]["value"] == pytest.approx((y == decided).mean())
    assert list(got["per_class"]) == ["normal", "bacterial", "viral"]
    viral = got["per_class"]["viral"]
    assert viral["sensitivity"]["value"] == pytest.approx((decided == 2)[y == 2].mean())
    assert got["threshold"]["value"] is None
    assert set(got) >= AGREED
    json.dumps(got, allow_nan=False)


def test_several_labels_over_the_known_ones(simulate_labels: Any) -> None:
    predictions = simulate_labels()
    got = measure(predictions, resamples=100)
    areas = []
    for i, name in enumerate(predictions.classes):
        known = ~np.isnan(predictions.targets[:, i])
        truth, scores = predictions.targets[known, i], predictions.probabilities[known, i]
        areas.append(sk.roc_auc_score(truth, scores))
        assert got["per_class"][name]["auroc"]["value"] == pytest.approx(areas[-1])
        assert got["per_class"][name]["auroc"]["n"] == known.sum() < len(predictions)
    assert got["auroc"]["value"] == pytest.approx(np.mean(areas))
    assert got["auroc"]["low"] < np.mean(areas) < got["auroc"]["high"]
    assert set(got) >= AGREED


def test_the_mean_says_over_how_many_classes() -> None:
    rng = np.random.default_rng(0)
    truth = np.c_[rng.integers(2, size=60), np.zeros(60), np.full(60, np.nan)]
    p = rng.random((60, 3))
    got = measure(make_predictions([str(i) for i in range(60)], p, truth, "abc"), resamples=100)
    assert got["auroc"]["classes"] == 1
    assert got["auroc"]["value"] == got["per_class"]["a"]["auroc"]["value"]
    assert got["specificity"]["classes"] == 2
    assert "one class" in got["per_class"]["b"]["auroc"]["reason"]
    assert "no image has a known label" in got["per_class"]["c"]["auroc"]["reason"]


def test_one_class_only() -> None:
    p = np.array([0.2, 0.7, 0.9])
    predictions = make_predictions("abc", np.c_[1 - p, p], [1, 1, 1], ("normal", "sick"))
    got = measure(predictions, resamples=100)
    assert got["auroc"] == {"value": None, "reason": "all images are of one class; it needs both"}
    assert got["specificity"]["value"] is None
    assert got["sensitivity"]["value"] == pytest.approx(2 / 3)
    json.dumps(got, allow_nan=False)


def test_unknown_patients_are_told() -> None:
    p = np.full((4, 2), 0.5)
    none = make_predictions("abcd", p, [0, 1, 0, 1], ("x", "y"))
    some = make_predictions("abcd", p, [0, 1, 0, 1], ("x", "y"), patients=["p", "p", None, None])
    got = measure(none, resamples=100)
    assert got["n_patients"] == {"value": None, "reason": NO_PATIENTS}
    assert got["intervals"]["note"] == NO_PATIENTS
    assert measure(some, resamples=100)["intervals"]["note"] == SOME_PATIENTS
    assert measure(some, resamples=100)["n_patients"] == 3


def test_dependence_between_images_widens_the_interval(simulate_binary: Any) -> None:
    grouped = simulate_binary(n=400, patients=40)
    alone = make_predictions(
        list(grouped.table["path"]), grouped.probabilities, grouped.targets, grouped.classes
    )
    wide, narrow = (measure(one, resamples=400)["auroc"] for one in (grouped, alone))
    assert wide["value"] == narrow["value"]
    assert wide["high"] - wide["low"] > 1.3 * (narrow["high"] - narrow["low"])


@pytest.mark.parametrize("wrong", [{"threshold": 1.5}, {"threshold": -0.1}, {"resamples": 10}])
def test_wrong_settings_are_refused(wrong: dict[str, Any], simulate_binary: Any) -> None:
    with pytest.raises(UsageError, match=r"needed|needs"):
        measure(simulate_binary(), **wrong)
