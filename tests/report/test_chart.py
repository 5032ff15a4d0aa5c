"""Where a value lies on a chart or a bar."""

from __future__ import annotations

import re

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from cxr.evaluate import make_predictions, measure
from cxr.report.chart import BOTTOM, LEFT, RIGHT, TOP, WIDTH, Axes, even_ticks, line
from cxr.report.curves import POINTS, curves_of


def test_corners_lie_in_the_corners() -> None:
    axes = Axes((2, 4), (0, 10), (), (), "", "", height=300)
    assert (axes.at_x(2), axes.at_x(4)) == (LEFT, WIDTH - RIGHT)
    assert (axes.at_y(0), axes.at_y(10)) == (300 - BOTTOM, TOP)
    drawn = re.search(r'd="M([\d.]+) ([\d.]+)L', line(axes, [(3, 5), (4, 10)], "s0"))
    assert drawn is not None
    assert [float(one) for one in drawn.groups()] == [axes.at_x(3), axes.at_y(5)]


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 1, ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        (0, 700, ["0", "200", "400", "600"]),
        (-0.1, 0.75, ["0.0", "0.2", "0.4", "0.6"]),
        (0.97, 0.9969, ["0.970", "0.980", "0.990"]),
        (0, 4000, ["0", "1,000", "2,000", "3,000", "4,000"]),
    ],
)
def test_ticks_are_round(low: float, high: float, expected: list[str]) -> None:
    ticks = even_ticks(low, high)
    values = [value for value, _ in ticks]
    assert all(low - 1e-9 <= value <= high + 1e-9 for value in values)
    assert [float(text.replace(",", "")) for _, text in ticks] == pytest.approx(values)
    assert [float(text.replace(",", "")) for text in expected] == pytest.approx(values)


@pytest.mark.parametrize("n", [50, 5000])
def test_curves_keep_their_area_with_few_points(n: int) -> None:
    rng = np.random.default_rng(n)
    truth = rng.random(n) < 0.3
    p = 1 / (1 + np.exp(-(2 * truth + rng.normal(size=n))))
    predictions = make_predictions(
        [str(i) for i in range(n)], np.c_[1 - p, p], truth.astype(int), "ab"
    )
    curves = curves_of(predictions, measure(predictions, resamples=100))
    (roc,), (pr,) = curves["roc"], curves["precision_recall"]
    assert len(roc["x"]) <= POINTS + 1 and (roc["x"][0], roc["y"][-1]) == (0, 1)
    area = np.trapezoid(roc["y"], roc["x"])
    assert area == pytest.approx(roc_auc_score(truth, p), abs=0.003)
    found = np.r_[0, pr["recall"]]
    average = float((np.diff(found) * pr["precision"]).sum())
    assert average == pytest.approx(average_precision_score(truth, p), abs=0.01)
    assert sum(one["n"] for one in curves["reliability"]["bins"]) == n
    assert sum(curves["scores"]["with"]) == truth.sum()
    low, high = (np.array(roc["band"][end]) for end in ("low", "high"))
    assert (low <= high).all()
