from __future__ import annotations

import json
from typing import Any

import pytest

from cxr.bundle import FORMAT, BundleConfig
from cxr.bundle.format import LOCATOR_OF_FORMAT_3, STEPS, WITH_MANIFEST, format_of, migrate
from cxr.errors import BundleError


def named_side(facts: dict[str, Any]) -> dict[str, Any]:
    """A made-up change: format 7 called the size `side`, and knew no temperature."""
    size = facts.pop("side")
    return facts | {"size": size, "temperature": 1.0}


def in_millimetres(facts: dict[str, Any]) -> dict[str, Any]:
    return facts | {"spacing": facts["spacing"] * 10}


STEPS_SO_FAR = {7: named_side, 8: in_millimetres}


def test_a_made_up_older_format_is_read_step_by_step() -> None:
    old = {"format": 7, "side": 64, "spacing": 2}
    new = {"format": 9, "size": 64, "temperature": 1.0, "spacing": 20}
    assert migrate(old, STEPS_SO_FAR, newest=9) == new
    assert old == {"format": 7, "side": 64, "spacing": 2}  # as it was
    one_step = {"format": 8, "size": 64, "spacing": 2}
    assert migrate(one_step, STEPS_SO_FAR, newest=9) == {"format": 9, "size": 64, "spacing": 20}
    assert migrate(new, STEPS_SO_FAR, newest=9) == new


@pytest.mark.parametrize("number", [6, 10, "9", 9.0, None, True, [9], "x" * 1000])
def test_numbers_that_no_step_leads_on_from(number: Any) -> None:
    with pytest.raises(
        BundleError, match=r"^model format .{1,22} is not known .* 7, 8, 9; install"
    ):
        migrate({"format": number}, STEPS_SO_FAR, newest=9)
    with pytest.raises(BundleError, match="model format None is not known"):
        migrate({}, STEPS_SO_FAR, newest=9)


def test_there_is_a_step_from_every_older_number() -> None:
    assert sorted(STEPS) == list(range(1, FORMAT))
    assert WITH_MANIFEST <= FORMAT and format_of({"format": 1}) == 1


def test_the_configuration_of_format_1_is_read_and_written_as_the_newest() -> None:
    text = json.dumps({"format": 1, "classes": ["a", "b"], "backbone": "resnet18", "size": 64})
    config = BundleConfig.from_json(text)
    assert config == BundleConfig(("a", "b"), "resnet18", 64)
    assert json.loads(config.to_json())["format"] == FORMAT


@pytest.mark.parametrize("number", [1, 2])
def test_models_of_older_formats_see_whole_images(number: int) -> None:
    facts = {"format": number, "classes": ["a", "b"], "backbone": "resnet18", "size": 64}
    assert migrate(facts) == {**facts, "format": FORMAT, "frame": "whole", "locator": None}
    assert BundleConfig.from_json(json.dumps(facts)).frame == "whole"


@pytest.mark.parametrize("frame", ["heart", "", None, ["lungs"]])
def test_an_unknown_frame_is_refused(frame: Any) -> None:
    with pytest.raises(BundleError, match="unknown frame"):
        BundleConfig(("a", "b"), "resnet18", 64, frame=frame)


@pytest.mark.parametrize(("frame", "locator"), [("whole", None), ("lungs", "c9f0f874403da658")])
def test_a_model_of_format_3_was_cut_by_the_first_locator(frame: str, locator: str | None) -> None:
    facts = {"format": 3, "classes": ["a", "b"], "backbone": "resnet18", "size": 64, "frame": frame}
    assert migrate(facts) == {**facts, "format": FORMAT, "locator": locator}
    assert LOCATOR_OF_FORMAT_3 == "c9f0f874403da658"
    config = BundleConfig.from_json(json.dumps(facts))
    assert config.locator == locator
    if frame == "whole":
        config.check_locator()
    else:
        with pytest.raises(BundleError, match="cut by lung locator c9f0f874403da658, and this cxr"):
            config.check_locator()
