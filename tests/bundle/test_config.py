from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from cxr.bundle import FORMAT, BundleConfig
from cxr.errors import BundleError
from cxr.pixels.frame import locator_version

VECTOR = {"kind": "vector", "factors": [0.5, 2.0], "biases": [-0.1, 0.1]}


def test_what_is_written_is_read(config: BundleConfig) -> None:
    assert BundleConfig.from_json(config.to_json()) == config
    vector = replace(config, temperature=1.0, calibration=VECTOR)
    assert BundleConfig.from_json(vector.to_json()) == vector


def test_a_version_that_knows_no_vectors_reads_all_but_those(config: BundleConfig) -> None:
    """It refuses a field that it does not know, rather than go on uncalibrated."""
    assert "calibration" not in json.loads(config.to_json())
    vector = replace(config, temperature=1.0, calibration=VECTOR)
    assert json.loads(vector.to_json())["calibration"] == VECTOR


def test_thresholds_of_several_labels(config: BundleConfig) -> None:
    assert "thresholds" not in json.loads(config.to_json())
    labels = replace(config, multi_label=True, positive=None, thresholds=(0.2, 0.7))
    assert BundleConfig.from_json(labels.to_json()) == labels
    assert labels.operating_point == (0.2, 0.7) and config.operating_point == config.threshold
    assert replace(labels, thresholds=None).operating_point == 0.5
    for wrong in ({"thresholds": (0.2,)}, {"thresholds": (0.2, 2)}, {"multi_label": False}):
        with pytest.raises(BundleError, match="for each of several labels"):
            replace(labels, **wrong)


@pytest.mark.parametrize(
    "classes",
    [
        ("10", "9"),  # neither sorted as numbers nor turned into numbers
        ("b", "a", "c"),
        ("keine Entzündung", "肺炎", "😷"),
        ('say "ah"', "a, b", "it's", "tab\there", "new\nline", "\\", "prob_a"),
    ],
)
def test_any_class_names_in_their_order(classes: tuple[str, ...], config: BundleConfig) -> None:
    changed = replace(config, classes=classes, positive=classes[-1])
    assert BundleConfig.from_json(changed.to_json()).classes == classes


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("classes", []),
        ("classes", "NORMAL"),
        ("classes", ["a", "a"]),
        ("classes", ["a", ""]),
        ("classes", ["a", 1]),
        ("classes", ["a", ["b"]]),
        ("classes", ["a", "b" * 1001]),
        ("classes", [f"c{i}" for i in range(10_001)]),
        ("backbone", ""),
        ("backbone", None),
        ("size", 31),
        ("size", 2049),
        ("size", 64.0),
        ("size", True),
        ("multi_label", 1),
        ("resize_method", "stretch"),
        ("resize_method", ["squish"]),
        ("dropout", -0.1),
        ("dropout", "0.1"),
        ("temperature", 0),
        ("temperature", float("nan")),
        ("temperature", float("inf")),
        ("temperature", 10**400),
        ("temperature", True),
        ("temperature", 1.5),  # beside a calibration
        ("calibration", []),
        ("calibration", {}),
        ("calibration", VECTOR | {"more": 1}),
        ("calibration", VECTOR | {"kind": "none"}),
        ("calibration", VECTOR | {"factors": [1.0]}),
        ("calibration", VECTOR | {"factors": [0, 1]}),
        ("calibration", VECTOR | {"factors": [True, 1]}),
        ("calibration", VECTOR | {"factors": {"0": 1, "1": 1}}),
        ("calibration", VECTOR | {"biases": [float("nan"), 0]}),
        ("calibration", VECTOR | {"biases": ["0", 0]}),
        ("calibration", VECTOR | {"biases": [10**400, 0]}),
        ("threshold", 1.1),
        ("threshold", float("nan")),
        ("threshold", None),
        ("positive", "OTHER"),
        ("positive", ["NORMAL"]),
        ("population", 1),
        ("training_data", []),
        ("weights_source", None),
    ],
)
def test_a_wrong_field_is_refused_by_name(name: str, value: Any, config: BundleConfig) -> None:
    found = json.loads(config.to_json()) | {"temperature": 1, "calibration": VECTOR, name: value}
    with pytest.raises(BundleError, match=name):
        BundleConfig.from_json(json.dumps(found))


@pytest.mark.parametrize("number", [FORMAT + 1, 0, "1", None, [1]])
def test_another_format_number_is_refused(number: Any, config: BundleConfig) -> None:
    found = json.loads(config.to_json()) | {"format": number}
    with pytest.raises(BundleError, match=r"format.*install a newer cxr or export"):
        BundleConfig.from_json(json.dumps(found))


def test_an_unknown_field_is_refused(config: BundleConfig) -> None:
    found = json.loads(config.to_json()) | {"on_load": "import os"}
    with pytest.raises(BundleError, match="unknown fields: on_load"):
        BundleConfig.from_json(json.dumps(found))


@pytest.mark.parametrize("name", ["classes", "backbone", "size", "format"])
def test_a_missing_field_is_refused(name: str, config: BundleConfig) -> None:
    found = json.loads(config.to_json())
    del found[name]
    with pytest.raises(BundleError, match=name):
        BundleConfig.from_json(json.dumps(found))


def test_fields_that_may_be_missing_have_their_defaults() -> None:
    text = json.dumps({"format": 1, "classes": ["a", "b"], "backbone": "resnet18", "size": 64})
    assert BundleConfig.from_json(text) == BundleConfig(("a", "b"), "resnet18", 64)


@pytest.mark.parametrize("text", ["", "{", "[]", "1", "null", '"x"', "{'a': 1}", "9" * 5000])
def test_what_is_no_object_is_refused(text: str) -> None:
    with pytest.raises(BundleError, match=r"config\.json"):
        BundleConfig.from_json(text)


def test_a_model_of_the_lungs_says_which_locator_cut_its_images() -> None:
    config = BundleConfig(("a", "b"), "resnet18", 64, frame="lungs")
    assert config.locator == locator_version()
    config.check_locator()
    assert BundleConfig.from_json(config.to_json()) == config
    silent = json.loads(config.to_json()) | {"locator": None}
    with pytest.raises(BundleError, match="does not say which lung locator"):
        BundleConfig.from_json(json.dumps(silent))


@pytest.mark.parametrize(("frame", "locator"), [("whole", "abc"), ("lungs", ""), ("lungs", 3)])
def test_a_locator_that_does_not_fit_the_frame_is_refused(frame: Any, locator: Any) -> None:
    with pytest.raises(BundleError, match="locator must be"):
        BundleConfig(("a", "b"), "resnet18", 64, frame=frame, locator=locator)
