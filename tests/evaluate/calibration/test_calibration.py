from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest

from cxr.errors import DataError
from cxr.evaluate.calibration import Calibration

NONE = Calibration("none", (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
TEMPERATURE = Calibration("temperature", (0.5, 0.5), (0.0, 0.0))
VECTOR = Calibration("vector", (0.5, 2.0), (-0.25, 0.25))


@pytest.mark.parametrize("one", [NONE, TEMPERATURE, VECTOR])
def test_what_is_written_is_read(one: Calibration) -> None:
    assert Calibration.from_json(json.loads(json.dumps(one.to_json()))) == one


@pytest.mark.parametrize("one", [NONE, TEMPERATURE, VECTOR])
def test_a_bundle_keeps_it(one: Calibration) -> None:
    fields = json.loads(json.dumps(one.for_bundle()))
    assert Calibration.from_bundle(**fields, classes=len(one.factors)) == one


def test_a_bundle_from_before_has_a_temperature_only() -> None:
    assert Calibration.from_bundle(2.0, None, 2) == TEMPERATURE
    assert Calibration.from_bundle(1.0, None, 3) == NONE
    assert VECTOR.for_bundle()["temperature"] == 1


def test_logits_are_multiplied_and_shifted() -> None:
    logits = np.array([[1.0, 3.0], [-2.0, 0.0]], np.float32)
    found = VECTOR.apply(logits)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, [[0.25, 6.25], [-1.25, 0.25]])
    np.testing.assert_array_equal(TEMPERATURE.apply(logits), logits / 2)
    np.testing.assert_allclose(VECTOR.apply([[1, 3]]), [[0.25, 6.25]])


@pytest.mark.parametrize("shape", [(2,), (2, 3), (1, 2, 2)])
def test_logits_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match="do not fit a calibration of 2"):
        VECTOR.apply(np.zeros(shape))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"kind": "isotonic"}, "kind 'isotonic'"),
        ({"kind": ["vector"]}, "kind"),
        ({"factors": (0.0, 1.0)}, "above 0"),
        ({"factors": (-1.0, 1.0)}, "above 0"),
        ({"factors": (float("nan"), 1.0)}, "factors"),
        ({"factors": (True, 1.0)}, "factors"),
        ({"factors": ("1", "1")}, "factors"),
        ({"factors": ()}, "factors"),
        ({"biases": (float("inf"), 0.0)}, "biases"),
        ({"biases": (0.0,)}, "as many"),
        ({"kind": "temperature"}, "not of kind 'temperature'"),
        ({"kind": "none", "biases": (0.0, 0.0)}, "not of kind 'none'"),
    ],
)
def test_what_is_no_calibration_is_refused(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        Calibration(**{**asdict(VECTOR), **change})


@pytest.mark.parametrize(
    "found",
    [
        None,
        [],
        {},
        {"kind": "vector", "factors": [1.0]},
        {"kind": "vector", "factors": [1.0], "biases": [0.0], "more": 1},
        {"kind": "vector", "factors": 1.0, "biases": 0.0},
        {"kind": "vector", "factors": {"0": 1.0}, "biases": [0.0]},
    ],
)
def test_damaged_json_is_refused(found: object) -> None:
    with pytest.raises(DataError, match="calibration refused"):
        Calibration.from_json(found)
