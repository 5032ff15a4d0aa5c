from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from scipy.special import logit

from cxr.evaluate import Predictions, measure
from cxr.evaluate.calibration import choose_calibration, summarise_calibration
from cxr.report.curves import curves_of
from cxr.report.figures.reliability import draw_calibration
from cxr.report.figures.style import png, style


def drawn(predictions: Predictions, crossfit: bool = True) -> tuple[Figure, dict[str, Any]]:
    p, targets = predictions.probabilities, predictions.targets
    logits = 2 * (logit(p) if predictions.multi_label else np.log(p))
    chosen = choose_calibration(logits, targets, predictions.patient_groups)
    metrics = measure(predictions, resamples=100)
    metrics["calibration"] = summarise_calibration(
        logits, targets, predictions.patient_groups, chosen, crossfit=crossfit, resamples=100
    )
    with style():
        figure = Figure(layout="constrained")
        split = {"metrics": metrics, "curves": curves_of(predictions, metrics)}
        draw_calibration(figure, split)
        png(figure)
    return figure, metrics["calibration"]


@pytest.mark.parametrize("crossfit", [True, False])
def test_both_sides_show_the_bins(crossfit: bool, simulate_binary: Any) -> None:
    figure, facts = drawn(simulate_binary(), crossfit)
    for axes, side in zip(figure.axes[:2], ("before", "after"), strict=True):
        points = axes.containers[0].lines[0].get_xydata()
        expected = [(one["stated"], one["observed"]) for one in facts[f"bins_{side}"]]
        np.testing.assert_allclose(points, expected)
        assert f"{facts[side]['ece']['value']:.3f}" in axes.get_title(loc="left")
    assert ("cross-fitted" in figure.axes[1].get_title(loc="left")) is crossfit


@pytest.mark.parametrize("kind", ["simulate_classes", "simulate_labels"])
def test_more_classes_and_labels_are_drawn(kind: str, request: pytest.FixtureRequest) -> None:
    figure, facts = drawn(request.getfixturevalue(kind)(), crossfit=False)
    counts = [bar.get_height() for bar in figure.axes[3].containers[0]]
    assert sum(counts) == sum(one["n"] for one in facts["bins_after"])
