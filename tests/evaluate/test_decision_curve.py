from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cxr.errors import UsageError
from cxr.evaluate import Predictions, make_predictions, measure
from cxr.evaluate.decision_curve import THRESHOLDS, decision_curve
from cxr.report.figures.decision_curve import draw_decision_curve
from cxr.report.figures.style import png, style


def by_hand(predictions: Predictions, t: float, share: float | None = None) -> tuple[float, float]:
    """Net benefit of the model and of treating all, image by image."""
    true = alarms = ill = 0
    scores, truth = predictions.probabilities[:, 1], predictions.targets
    for p, y in zip(scores, truth, strict=True):
        ill += y
        true += p >= t and y == 1
        alarms += p >= t and y == 0
    n, odds = len(truth), t / (1 - t)
    if share is None:
        return true / n - alarms / n * odds, ill / n - (n - ill) / n * odds
    model = share * true / ill - (1 - share) * alarms / (n - ill) * odds
    return model, share - (1 - share) * odds


@pytest.mark.parametrize("share", [None, 0.05])
@pytest.mark.parametrize("ties", [False, True])
def test_it_is_the_published_formula(ties: bool, share: float | None, simulate_binary: Any) -> None:
    predictions = simulate_binary(ties=ties)
    curve = decision_curve(predictions, prevalence=share, resamples=100)
    assert curve["thresholds"] == list(THRESHOLDS)
    expected = np.array([by_hand(predictions, t, share) for t in THRESHOLDS])
    assert np.allclose([one["value"] for one in curve["model"]], expected[:, 0])
    assert np.allclose(curve["treat_all"], expected[:, 1])
    best = np.maximum(expected[:, 1], 0)
    assert np.allclose([one["value"] for one in curve["gain"]], expected[:, 0] - best)
    assert set(curve["treat_none"]) == {0.0}
    assert curve["prevalence_stated"] is (share is not None)


def test_intervals_are_those_of_drawing_patients_one_by_one(simulate_binary: Any) -> None:
    predictions = simulate_binary(n=200, patients=60)
    one = decision_curve(predictions, thresholds=[0.3], resamples=2000, seed=1)["model"][0]
    rng = np.random.default_rng(7)
    groups, truth = predictions.patient_groups, predictions.targets
    rows = [np.flatnonzero(groups == g) for g in range(groups.max() + 1)]
    acts = predictions.probabilities[:, 1] >= 0.3
    gain = np.where(truth == 1, 1.0, -0.3 / 0.7) * acts
    drawn = [
        gain[np.concatenate([rows[i] for i in rng.integers(len(rows), size=len(rows))])].mean()
        for _ in range(2000)
    ]
    assert [one["low"], one["high"]] == pytest.approx(np.quantile(drawn, [0.025, 0.975]), abs=0.015)


def test_resampling_in_blocks_changes_nothing(
    simulate_binary: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    predictions = simulate_binary(n=80)
    at_once = decision_curve(predictions, thresholds=[0.2, 0.6], resamples=150)
    monkeypatch.setattr("cxr._stats.bootstrap.CELLS_AT_ONCE", 80 * 40)
    in_blocks = decision_curve(predictions, thresholds=[0.2, 0.6], resamples=150)
    assert at_once["model"][1]["value"] == in_blocks["model"][1]["value"]
    assert "low" in in_blocks["model"][1]


def test_a_model_that_never_says_yes_is_as_good_as_acting_on_no_one() -> None:
    p = np.full(40, 0.3)
    predictions = make_predictions(
        [str(i) for i in range(40)], np.c_[1 - p, p], [0, 1] * 20, ("normal", "sick")
    )
    curve = decision_curve(predictions, thresholds=[0.2, 0.5], resamples=100)
    assert curve["model"][0]["value"] == pytest.approx(curve["treat_all"][0])
    assert curve["model"][1]["value"] == 0
    assert "every resample" in curve["model"][1]["reason"]


def test_one_class_has_no_curve() -> None:
    predictions = make_predictions("ab", np.full((2, 2), 0.5), [1, 1], ("normal", "sick"))
    curve = decision_curve(predictions)
    assert curve["thresholds"] == []
    assert curve["reason"] == "all images are of one class"


def test_what_cannot_be_asked_is_refused(simulate_binary: Any, simulate_classes: Any) -> None:
    predictions = simulate_binary()
    for thresholds in ([], [0.5, 1.0]):
        with pytest.raises(UsageError, match="above 0 and below 1"):
            decision_curve(predictions, thresholds=thresholds)
    with pytest.raises(UsageError, match="prevalence 1"):
        decision_curve(predictions, prevalence=1)
    with pytest.raises(UsageError, match="no single positive class"):
        decision_curve(simulate_classes())


@pytest.mark.parametrize("share", [None, 0.1])
def test_the_figure_shows_the_three_ways_to_act(share: float | None, simulate_binary: Any) -> None:
    from matplotlib.figure import Figure

    predictions = simulate_binary()
    metrics = measure(predictions, 0.4, resamples=100)
    metrics["decision_curve"] = decision_curve(predictions, prevalence=share, resamples=100)
    with style():
        figure = Figure(figsize=(4.8, 3.6), layout="constrained")
        draw_decision_curve(figure, {"metrics": metrics})
        assert Image.open(BytesIO(png(figure))).size == (960, 1080)
    axes = figure.axes[0]
    assert ("as stated" in axes.get_title("left")) is (share is not None)
    drawn = {str(line.get_label()): np.asarray(line.get_ydata()) for line in axes.lines}
    model = [one["value"] for one in metrics["decision_curve"]["model"]]
    assert np.array_equal(drawn["acting on the model, 95% interval"], model)
    assert np.array_equal(drawn["on everyone"], metrics["decision_curve"]["treat_all"])
    assert not np.any(drawn["on no one"])
