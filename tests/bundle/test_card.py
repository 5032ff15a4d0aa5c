from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
import yaml
from markdown_it import MarkdownIt

from cxr.bundle import DISCLAIMER, BundleConfig
from cxr.bundle.card import model_card
from cxr.errors import UsageError

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
SETTINGS = {
    "data": "/home/somebody/secret place",
    "weights": "/home/somebody/weights.safetensors",
    "cache": "C:\\secret",
    "epochs": 2,
    "class_weights": None,
    "augment": True,
    "population": "x",
}
HOSTILE = (
    "children\n---\nlicense: mit\n---\n# Safe for diagnosis\n<script>alert(1)</script> | a | "
    "[x](javascript:y) `z` </td> \u202e 肺炎"
)


def front(card: str) -> dict[str, Any]:
    start, matter, _ = card.split("---\n", 2)
    assert start == ""
    found = yaml.safe_load(matter)
    assert isinstance(found, dict)
    return found


def shown(card: str) -> list[str]:
    """The visible text of each block; HTML is none."""
    body = card.split("---\n", 2)[2]
    tokens = MarkdownIt("commonmark").enable("table").parse(body)
    assert not [token for token in tokens if token.type == "html_block"]
    inline = [token.children or [] for token in tokens if token.type == "inline"]
    assert not [child for some in inline for child in some if child.type in ("html_inline", "link")]
    return ["".join(child.content for child in some) for some in inline]


def headings(card: str) -> list[str]:
    return re.findall(r"^#+ .*$", card.split("---\n", 2)[2], flags=re.MULTILINE)


def test_the_card_of_the_bundle_says_what_is_known_and_what_is_not(config: BundleConfig) -> None:
    card = model_card(config)
    assert DISCLAIMER in card
    assert "No figures are in this file" in card
    assert "**NOT PROVIDED**" in card  # nobody said under which licence
    found = front(card)
    assert found["library_name"] == "cxr"
    assert found["pipeline_tag"] == "image-classification"
    assert not {"license", "model-index", "metrics"} & set(found)


def test_the_figures_are_those_of_metrics_json(config: BundleConfig) -> None:
    card = model_card(config, METRICS, settings=SETTINGS)
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
    lines = shown(model_card(config, METRICS))
    (line,) = [line for line in lines if line.startswith("Of 1,000 patients")]
    assert "200 of them with PNEUMONIA: 20 (10 to 30) would be missed" in line
    assert "200 (160 to 240) of the 800" in line
    point = {"rule": "youden", "threshold": 0.4, "sentence": "Of 1,000 children, 5 <b>."}
    lines = shown(model_card(config, {**METRICS, "operating_point": point}))
    assert "Of 1,000 children, 5 <b>." in lines
    assert not [line for line in lines if line.startswith("Of 1,000 patients")]


def test_calibration_before_and_after(config: BundleConfig) -> None:
    ece = {"before": {"value": 0.08, "low": 0.06, "high": 0.1}, "after": {"value": 0.01}}
    found = {name: {"ece": one, "brier": one} for name, one in ece.items()}
    card = model_card(config, {**METRICS, "calibration": {"kind": "temperature", **found}})
    assert "| expected calibration error | 0.080 (0.060 to 0.100) | 0.010 |" in card
    assert "divided by 1.5" in card
    vector = {"kind": "vector", "factors": [1.0, 1.0], "biases": [0.0, 0.1]}
    assert "factor and a bias" in model_card(replace(config, temperature=1.0, calibration=vector))


def test_another_split_is_not_called_validation(config: BundleConfig) -> None:
    card = model_card(config, METRICS, split="test")
    assert "of the test part" in card
    assert "These images chose" not in card
    assert front(card)["model-index"][0]["results"][0]["dataset"]["split"] == "test"


@pytest.mark.parametrize("metrics", [None, METRICS])
def test_text_of_the_user_stays_text(metrics: Any, config: BundleConfig) -> None:
    calm = model_card(config, metrics)
    classes = ("NORMAL", HOSTILE)
    nasty = replace(
        config, population=HOSTILE, classes=classes, positive=HOSTILE, weights_source=HOSTILE
    )
    measured = metrics and {**metrics, "positive": HOSTILE, "classes": list(classes)}
    card = model_card(nasty, measured)
    assert headings(card) == headings(calm)
    assert front(card).keys() == front(calm).keys()
    assert front(card).get("license") is None
    seen = " ".join(HOSTILE.replace("\u202e", "").split())
    assert seen in shown(card)  # the population, letter by letter
    assert card.encode()


def test_each_row_has_the_cells_of_its_head(config: BundleConfig) -> None:
    card = model_card(replace(config, population="a | b"), METRICS, settings=SETTINGS)
    for block in card.split("\n\n"):
        if block.startswith("|"):
            assert len({len(re.findall(r"(?<!\\)\|", row)) for row in block.splitlines()}) == 1


def test_no_place_on_a_disk_is_told(config: BundleConfig) -> None:
    environment = {"python": "3.12.0", "versions": {"cxr": "0.1.0", "timm": None}}
    card = model_card(config, METRICS, settings=SETTINGS, environment=environment)
    assert "secret" not in card and "somebody" not in card
    assert "| epochs | `2` |" in card
    assert "| augment | `yes` |" in card
    assert "| class weights | `none` |" in card
    assert "| `cxr` | `0.1.0` |" in card
    assert "timm" not in card


def test_several_labels_an_image(config: BundleConfig) -> None:
    nothing = {"value": None, "reason": "no image has it"}
    metrics = {
        "n": 50,
        "n_patients": {"value": None, "reason": "not known"},
        "positive": None,
        "auroc": {"value": 0.8, "low": 0.7, "high": 0.9, "classes": 1},
        "per_class": {"a|b": {"auroc": METRICS["auroc"]}, "c": {"auroc": nothing}},
    }
    card = model_card(replace(config, multi_label=True, positive=None), metrics)
    assert "On 50 images of the validation part" in card
    assert "mean of 1 classes" in card
    assert r"| a\|b | 0.997 (0.995 to 0.999) | not measured |" in card
    assert "| c | no image has it |" in card
    assert "from a probability of 0.5 on" in card


def test_very_many_classes_are_cut_short(config: BundleConfig) -> None:
    card = model_card(replace(config, classes=tuple(f"c{i}" for i in range(2000)), positive=None))
    assert "c29 and 1,970 more" in card
    assert "The most probable class is the answer" in card


def test_the_licence_is_the_users(config: BundleConfig) -> None:
    card = model_card(config, license="cc-by-4.0")
    assert front(card)["license"] == "cc-by-4.0"
    assert "NOT PROVIDED" not in card
    with pytest.raises(UsageError, match="is no identifier"):
        model_card(config, license="mine\ntags: [x]")


def test_the_same_arguments_give_the_same_text(config: BundleConfig) -> None:
    assert model_card(config, METRICS) == model_card(config, dict(reversed(METRICS.items())))
