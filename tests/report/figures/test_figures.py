from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import roc_curve

from cxr.evaluate import make_predictions, measure
from cxr.evaluate.decision_curve import decision_curve
from cxr.evaluate.metrics import binary
from cxr.evaluate.questions import class_questions, stated_probability
from cxr.report import figures as drawing
from cxr.report.figures import FIGURES, OPTIONAL, render_figures, save_figures
from cxr.report.figures.roc import draw_roc, roc_points


def test_two_classes_have_every_figure_at_one_size(simulate_binary: Any) -> None:
    predictions = simulate_binary(classes=("normal", "$x^{ 肺炎 <b>"))
    figures = render_figures(predictions, measure(predictions, resamples=100))
    assert set(figures) == set(FIGURES) - set(OPTIONAL)
    for png in figures.values():
        picture = Image.open(BytesIO(png))
        assert picture.size == (960, 720)
        assert len(np.unique(np.asarray(picture.convert("L")))) > 10  # something is drawn


def test_the_same_predictions_give_the_same_bytes(
    simulate_binary: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    predictions = simulate_binary(n=60)
    metrics = measure(predictions, resamples=100)
    monkeypatch.setattr(drawing, "FIGURES", {"roc": draw_roc})
    assert render_figures(predictions, metrics) == render_figures(predictions, metrics)


def test_several_labels_have_no_confusion_matrix(simulate_labels: Any) -> None:
    predictions = simulate_labels()
    figures = render_figures(predictions, measure(predictions, resamples=100))
    assert set(figures) == set(FIGURES) - {"confusion", *OPTIONAL}


def test_more_classes_have_a_curve_each(simulate_classes: Any) -> None:
    predictions = simulate_classes(k=4)
    assert [one.name for one in class_questions(predictions)] == list(predictions.classes)
    figures = render_figures(predictions, measure(predictions, resamples=100))
    assert set(figures) == set(FIGURES) - set(OPTIONAL)


def test_one_class_has_no_curves() -> None:
    p = np.array([0.2, 0.7, 0.9])
    predictions = make_predictions("abc", np.c_[1 - p, p], [1, 1, 1], ("normal", "sick"))
    figures = render_figures(predictions, measure(predictions, resamples=100))
    assert set(figures) == set(FIGURES) - {"roc", "precision_recall", *OPTIONAL}


@pytest.mark.parametrize("ties", [False, True])
def test_the_curve_is_scikit_learns(ties: bool, simulate_binary: Any) -> None:
    predictions = simulate_binary(ties=ties)
    truth, scores = predictions.targets == 1, predictions.probabilities[:, 1]
    x, y = roc_points(binary(truth, scores, truth), np.ones((1, len(truth))))
    expected = roc_curve(truth, scores, drop_intermediate=False)
    np.testing.assert_allclose(x[0], expected[0])
    np.testing.assert_allclose(y[0], expected[1])


def test_calibration_of_several_labels_is_over_the_known_ones(simulate_labels: Any) -> None:
    predictions = simulate_labels()
    question = stated_probability(predictions)
    known = ~np.isnan(predictions.targets)
    assert len(question.scores) == known.sum()
    np.testing.assert_array_equal(question.truth, predictions.targets[known] == 1)


def test_what_was_measured_besides_is_drawn_too(
    simulate_binary: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    predictions = simulate_binary(n=60)
    metrics = measure(predictions, resamples=100)
    monkeypatch.setattr(drawing, "FIGURES", {"decision_curve": FIGURES["decision_curve"]})
    undrawn = {"thresholds": [], "reason": "all images are of one class"}
    assert render_figures(predictions, metrics | {"decision_curve": undrawn}) == {}
    curve = decision_curve(predictions, resamples=100)
    assert set(render_figures(predictions, metrics | {"decision_curve": curve})) == {
        "decision_curve"
    }


def test_figures_are_saved_under_a_prefix(tmp_path: Path) -> None:
    paths = save_figures({"roc": b"png"}, tmp_path / "figures", prefix="valid_")
    assert paths == [tmp_path / "figures" / "valid_roc.png"]
    assert paths[0].read_bytes() == b"png"
