"""Model cards with the figures of a measurement."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from cxr.bundle import BundleConfig
from cxr.bundle.card import model_card
from cxr.report.card import card_figures
from helpers.cards import HOSTILE, SETTINGS, front, headings, shown

METRICS: dict[str, Any] = {
    "n": 1047,
    "n_patients": 712,
    "classes": ["NORMAL", "PNEUMONIA"],
    "positive": "PNEUMONIA",
    "multi_label": False,
    "threshold": 0.4,
    "intervals": {"level": 0.95, "method": "patient bootstrap", "resamples": 2000, "seed": 1},
    "auroc": {"value": 0.99685, "low": 0.99468, "high": 0.99858, "n": 1047},
    "sensitivity": {"value": 0.9, "low": 0.85, "high": 0.95, "n": 777},
    "specificity": {"value": 0.75, "low": 0.7, "high": 0.8, "n": 270},
    "npv": {"value": None, "reason": "nothing is called negative"},
    "ece": {"value": 0.02, "low": 0.01, "high": 0.03, "n": 1047},
}


@pytest.fixture
def config() -> BundleConfig:
    return BundleConfig(
        classes=("NORMAL", "PNEUMONIA"),
        backbone="test_efficientnet",
        size=64,
        temperature=1.5,
        threshold=0.4,
        positive="PNEUMONIA",
    )


def card_of(config: BundleConfig, metrics: dict[str, Any], split: str = "valid") -> str:
    return model_card(config, card_figures(metrics, split), settings=SETTINGS)


def test_the_figures_are_those_of_metrics_json(config: BundleConfig) -> None:
    card = card_of(config, METRICS)
    assert "| AUROC | 0.997 | 0.995 to 0.999 | 1,047 |" in card
    assert "1,047 images of 712 patients" in card
    assert "Negative predictive value" not in card  # undefined: no row pretends otherwise
    assert "These images chose the epoch" in card
    (model,) = front(card)["model-index"]
    (result,) = model["results"]
    values = {one["type"]: one["value"] for one in result["metrics"]}
    expected = {"roc_auc": 0.9969, "recall": 0.9, "specificity": 0.75}
    assert values == {**expected, "expected_calibration_error": 0.02}
    assert front(card)["metrics"] == list(values)
    assert result["task"]["type"] == "image-classification"
    assert {"type", "name"} <= set(result["dataset"])  # what the Hub requires
    assert "0.9947 to 0.9986, n = 1047" in result["metrics"][0]["name"]


def test_the_operating_point_in_patients(config: BundleConfig) -> None:
    point = {"rule": "youden", "threshold": 0.4, "sentence": "Of 1,000 children, 5 <b>."}
    lines = shown(card_of(config, {**METRICS, "operating_point": point}))
    assert "Of 1,000 children, 5 <b>." in lines
    assert "Chosen on validation images by the rule youden." in lines


def test_calibration_before_and_after(config: BundleConfig) -> None:
    ece = {"before": {"value": 0.08, "low": 0.06, "high": 0.1}, "after": {"value": 0.01}}
    found = {name: {"ece": one, "brier": one} for name, one in ece.items()}
    card = card_of(config, {**METRICS, "calibration": {"kind": "temperature", **found}})
    assert "| expected calibration error | 0.080 (0.060 to 0.100) | 0.010 |" in card


def test_another_split_is_not_called_validation(config: BundleConfig) -> None:
    card = card_of(config, METRICS, split="test")
    assert "of the test part" in card
    assert "These images chose" not in card
    assert front(card)["model-index"][0]["results"][0]["dataset"]["split"] == "test"


def test_text_of_the_user_stays_text(config: BundleConfig) -> None:
    calm = card_of(config, METRICS)
    classes = ("NORMAL", HOSTILE)
    nasty = replace(config, population=HOSTILE, classes=classes, positive=HOSTILE)
    card = card_of(nasty, {**METRICS, "positive": HOSTILE, "classes": list(classes)})
    assert headings(card) == headings(calm)
    assert front(card).keys() == front(calm).keys()
    assert " ".join(HOSTILE.replace("\u202e", "").split()) in shown(card)


def test_each_row_has_the_cells_of_its_head(config: BundleConfig) -> None:
    card = card_of(replace(config, population="a | b"), METRICS)
    for block in card.split("\n\n"):
        if block.startswith("|"):
            assert len({len(re.findall(r"(?<!\\)\|", row)) for row in block.splitlines()}) == 1


def test_several_labels_an_image(config: BundleConfig) -> None:
    nothing = {"value": None, "reason": "no image has it"}
    metrics = {
        "n": 50,
        "n_patients": {"value": None, "reason": "not known"},
        "positive": None,
        "auroc": {"value": 0.8, "low": 0.7, "high": 0.9, "classes": 1},
        "per_class": {"a|b": {"auroc": METRICS["auroc"]}, "c": {"auroc": nothing}},
    }
    card = card_of(replace(config, multi_label=True, positive=None), metrics)
    assert "On 50 images of the validation part" in card
    assert "mean of 1 classes" in card
    assert r"| a\|b | 0.997 (0.995 to 0.999) | not measured |" in card
    assert "| c | no image has it |" in card
    assert "from a probability of 0.5 on" in card


def test_the_same_arguments_give_the_same_text(config: BundleConfig) -> None:
    assert card_of(config, METRICS) == card_of(config, dict(reversed(METRICS.items())))
