from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cxr._io import write_json
from cxr.errors import DataError, UsageError
from cxr.evaluate import write_predictions
from cxr.evaluate.predictions import load_predictions


@pytest.fixture
def folder(tmp_path: Path, simulate_binary: Any) -> Path:
    for split in ("train", "valid"):
        write_predictions(simulate_binary(n=20), tmp_path / f"predictions_{split}.csv")
    return tmp_path


def test_the_split_of_a_folder(folder: Path, simulate_binary: Any) -> None:
    assert load_predictions(folder).file == folder / "predictions_valid.csv"
    assert load_predictions(folder, "train").file == folder / "predictions_train.csv"
    write_predictions(simulate_binary(n=20), folder / "predictions_test.csv")
    assert load_predictions(folder).file == folder / "predictions_test.csv"
    write_predictions(simulate_binary(n=20), folder / "predictions.csv")
    assert load_predictions(folder).file == folder / "predictions.csv"
    table = load_predictions(folder / "predictions_train.csv", "test").file
    assert table.stem == "predictions_train"


def test_finding_and_threshold_are_noted_beside(folder: Path, simulate_binary: Any) -> None:
    assert load_predictions(folder).threshold is None
    write_predictions(simulate_binary(n=20), folder / "predictions.csv")
    write_predictions(simulate_binary(n=20), folder / "mine.csv")
    noted = {"positive": "NORMAL", "threshold": 0.25}
    write_json(folder / "metrics.json", {"about": {}, "valid": noted})
    for name in ("predictions.csv", "predictions_valid.csv"):
        saved = load_predictions(folder / name)
        assert (saved.predictions.positive, saved.threshold) == ("NORMAL", 0.25)
    for name in ("predictions_train.csv", "mine.csv"):
        saved = load_predictions(folder / name)
        assert (saved.predictions.positive, saved.threshold) == ("PNEUMONIA", None)


@pytest.mark.parametrize("odd", [[], {"valid": 3}, {"valid": {"threshold": {"value": None}}}])
def test_notes_that_say_nothing(folder: Path, odd: Any) -> None:
    write_json(folder / "metrics.json", odd)
    assert load_predictions(folder).threshold is None


def test_what_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for place, split, said in (
        (tmp_path / "gone", None, "no predictions at "),
        (tmp_path / "empty", None, "no predictions of test or valid; it has none: "),
        (folder, "tset", "no predictions of tset; it has train, valid: name one with --split"),
    ):
        with pytest.raises(UsageError, match=said):
            load_predictions(place, split)
    (folder / "metrics.json").write_text("{", encoding="utf-8")
    with pytest.raises(DataError, match="not valid JSON"):
        load_predictions(folder)
