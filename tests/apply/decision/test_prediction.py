"""What is said of an image by a model that sees the lungs, or the whole image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cxr.apply import Predictor, load_learner
from cxr.apply.decision.confidence import NO_RULES, rules_in_words
from cxr.pixels import WHOLE, LungFrame

LUNGS = LungFrame(0.125, 0.25, 0.75, 0.875, 0.9375, "lungs")
TURNED = LungFrame(0.0, 0.0, 1.0, 1.0, 0.03125, "turned")
INVERTED = LungFrame(0.0, 0.0, 1.0, 1.0, 0.0, "inverted")
PIXELS = np.random.default_rng(0).integers(0, 256, (4, 64, 64), dtype=np.uint8)


@pytest.fixture
def predictor(write_model: Callable[..., Path]) -> Predictor:
    return load_learner(write_model(frame="lungs"))


def test_the_frame_and_its_score_are_told(predictor: Predictor) -> None:
    for prediction in predictor.predictions(PIXELS, frames=[LUNGS] * 4):
        assert prediction.frame == (0.125, 0.25, 0.75, 0.875)
        assert prediction.frame_score == 0.9375
        assert prediction.confident is None and prediction.not_judged == (NO_RULES,)
        assert prediction.as_json()["frame"] == (0.125, 0.25, 0.75, 0.875)


def test_never_confident_where_no_lungs_were_found(predictor: Predictor) -> None:
    frames = [WHOLE, TURNED, LUNGS, INVERTED]
    none, turned, found, inverted = predictor.predictions(PIXELS, frames=frames)
    assert [one.confident for one in (none, turned, inverted)] == [False] * 3
    assert found.confident is None
    said = "so the whole image was taken"
    assert none.not_judged == (f"no lungs were found in the image, {said}", NO_RULES)
    assert turned.not_judged[0] == f"the image is turned: lungs were found, but not upright, {said}"
    assert inverted.not_judged[0] == f"the image is inverted: bones are black, {said}"
    assert {one.status for one in (none, turned, inverted)} == {"not judged"}
    assert none.frame == turned.frame == (0, 0, 1, 1) and turned.frame_score == 0.03125


def test_the_answer_itself_does_not_change(predictor: Predictor) -> None:
    plain = predictor.predictions(PIXELS)
    told = predictor.predictions(PIXELS, frames=[WHOLE] * 4)
    assert [one.calibrated for one in plain] == [one.calibrated for one in told]
    assert {one.frame for one in plain} == {None} and {one.confident for one in plain} == {None}


def test_a_model_of_whole_images_has_no_frames(write_model: Callable[..., Path]) -> None:
    predictor = load_learner(write_model())
    found = replace(WHOLE, finding="lungs")
    for prediction in predictor.predictions(PIXELS, frames=[found] * 4):
        assert prediction.frame is None and prediction.frame_score is None
        assert prediction.confident is None and prediction.not_judged == (NO_RULES,)
    assert "lung frame" not in " ".join(rules_in_words(predictor.rules))


def test_a_model_of_whole_images_is_not_confident_without_lungs_either(
    write_model: Callable[..., Path],
) -> None:
    predictor = load_learner(write_model())
    prediction = predictor.predictions(PIXELS[:1], frames=[WHOLE])[0]
    assert prediction.confident is False
    assert prediction.not_judged[0] == "no lungs were found in the image"
    assert str(prediction).startswith("Not judged: no lungs were found in the image")


@pytest.mark.parametrize("frame", ["lungs", "whole"])
def test_a_doubt_of_the_file_comes_first(frame: str, write_model: Callable[..., Path]) -> None:
    predictor = load_learner(write_model(frame=frame))
    frames = [replace(one, doubt="a cat") for one in (LUNGS, TURNED)]
    found, turned = predictor.predictions(PIXELS[:2], frames=frames)
    assert found.confident is turned.confident is False
    assert found.not_judged == ("a cat", NO_RULES)
    assert turned.not_judged[0] == "a cat" and turned.not_judged[1].startswith(
        "the image is turned"
    )


def test_the_rules_say_what_is_seen(predictor: Predictor) -> None:
    assert rules_in_words(predictor.rules)[1].startswith("The model sees the lungs, cut by a lung")
