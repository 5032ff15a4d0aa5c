from __future__ import annotations

import re
from io import BytesIO
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from cxr.evaluate import Predictions, make_predictions, measure
from cxr.evaluate.decision_curve import decision_curve
from cxr.evaluate.questions import class_questions
from cxr.report import figures as drawing
from cxr.report.curves import curves_of
from cxr.report.figures import (
    FIGURES,
    OPTIONAL,
    TABLE_ON_PAGE,
    render_figures,
    render_history,
)
from cxr.report.figures.style import VARIABLES


def split(predictions: Predictions, **more: Any) -> dict[str, Any]:
    """As report.json holds it."""
    metrics = measure(predictions, resamples=100) | more
    return {"metrics": metrics, "curves": curves_of(predictions, metrics)}


def test_two_classes_have_every_figure_at_one_size(simulate_binary: Any) -> None:
    predictions = simulate_binary(classes=("normal", "$x^{ 肺炎 <b>"))
    figures = render_figures(split(predictions))
    assert set(figures) == set(FIGURES) - set(OPTIONAL)
    for one in figures.values():
        image = Image.open(BytesIO(one.png))
        assert image.size == (960, 720)
        assert len(np.unique(np.asarray(image.convert("L")))) > 10  # something is drawn


def test_the_same_predictions_give_the_same_bytes(
    simulate_binary: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    predictions = simulate_binary(n=60)
    monkeypatch.setattr(drawing, "FIGURES", {"roc": FIGURES["roc"]})
    assert render_figures(split(predictions)) == render_figures(split(predictions))


def test_several_labels_have_no_confusion_matrix(simulate_labels: Any) -> None:
    predictions = simulate_labels()
    figures = render_figures(split(predictions))
    assert set(figures) == set(FIGURES) - {"confusion", *OPTIONAL}


def test_more_classes_have_a_curve_each(simulate_classes: Any) -> None:
    predictions = simulate_classes(k=4)
    assert [one.name for one in class_questions(predictions)] == list(predictions.classes)
    figures = render_figures(split(predictions))
    assert set(figures) == set(FIGURES) - set(OPTIONAL)


def test_one_class_has_no_curves() -> None:
    p = np.array([0.2, 0.7, 0.9])
    predictions = make_predictions("abc", np.c_[1 - p, p], [1, 1, 1], ("normal", "sick"))
    figures = render_figures(split(predictions))
    assert set(figures) == set(FIGURES) - {"roc", "precision_recall", *OPTIONAL}


def test_what_was_measured_besides_is_drawn_too(
    simulate_binary: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    predictions = simulate_binary(n=60)
    monkeypatch.setattr(drawing, "FIGURES", {"decision_curve": FIGURES["decision_curve"]})
    undrawn = {"thresholds": [], "reason": "all images are of one class"}
    assert render_figures(split(predictions, decision_curve=undrawn)) == {}
    curve = decision_curve(predictions, resamples=100)
    (found,) = render_figures(split(predictions, decision_curve=curve)).values()
    assert "Gain over the" in found.svg, "the paired gain that the sentence tests"


def test_the_page_shows_them_as_text_in_its_own_colours(simulate_binary: Any) -> None:
    drawn = render_figures(split(simulate_binary(n=60, classes=("normal", "a < b"))), "valid")
    for name, one in drawn.items():
        svg = ElementTree.fromstring(re.sub(r"xlink:|xml:", "", one.svg or "<svg/>"))
        assert (len(svg) == 0) is (name in TABLE_ON_PAGE)
        assert not [colour for colour in VARIABLES if colour in one.svg]
        assert "<script" not in one.svg and "http" not in one.svg
    text = "".join(ElementTree.fromstring(drawn["scores"].svg.replace("xlink:", "")).itertext())
    assert "Predicted probability of a < b" in text and "var(--s0)" in drawn["scores"].svg


def test_the_figures_of_a_page_share_no_id(simulate_binary: Any) -> None:
    here = split(simulate_binary(n=60))
    drawn = [*render_figures(here, "valid").values(), *render_figures(here, "test").values()]
    ids = re.findall(r'\bid="([^"]+)"', "".join(one.svg for one in drawn))
    assert ids and len(ids) == len(set(ids))


def test_the_history_has_a_chart_of_losses_and_one_of_auroc() -> None:
    rows = [{"train_loss": 0.5, "valid_loss": None, "auroc": 0.9}, {"train_loss": 0.4}]
    assert render_history(rows) == {}  # two epochs make no curve
    assert set(render_history([*rows, {"train_loss": 0.3}])) == {"history-loss", "history-auroc"}
    assert set(render_history([{"train_loss": 0.3}] * 3)) == {"history-loss"}
