"""Words of strength."""

from __future__ import annotations

from typing import Any

import pytest

from cxr.report.strength import ENOUGH, strength, too_few

MANY = {"NORMAL": ENOUGH, "PNEUMONIA": ENOUGH}


@pytest.mark.parametrize(
    ("area", "words"),
    [
        ({"value": 0.99, "low": 0.975, "high": 1.0}, "very well"),
        ({"value": 0.99, "low": 0.969, "high": 1.0}, "well"),
        ({"value": 0.75, "low": 0.55, "high": 0.9}, "little better than chance"),
        ({"value": 0.75, "low": 0.5, "high": 0.9}, ""),
        ({"value": 1.0, "reason": "no interval"}, ""),
        ({"value": None, "reason": "one class"}, ""),
    ],
)
def test_by_the_lower_end(area: dict[str, Any], words: str) -> None:
    assert strength(area, MANY) == words


def test_of_enough_patients_of_every_class() -> None:
    area = {"value": 0.99, "low": 0.98, "high": 1.0}
    few = {"NORMAL": ENOUGH, "PNEUMONIA": ENOUGH - 1}
    assert strength(area, few) == "" and too_few(few) == "99 patients with PNEUMONIA"
    assert too_few(MANY) == ""
