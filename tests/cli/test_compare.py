from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cxr.evaluate import Predictions, make_predictions, write_predictions
from cxr.report import page
from cxr.report.context import ReportContext
from cxr.report.results import MeasureSettings, evaluate_predictions
from helpers.figures import undrawn

Call = Callable[..., Any]


def model(seed: int, n: int = 80) -> Predictions:
    truth = np.arange(n) % 2
    p = 1 / (1 + np.exp(-2 * truth + 1 - np.random.default_rng(seed).normal(size=n)))
    paths = [f"{i}.png" for i in range(n)]
    patients = [f"p{i // 4}" for i in range(n)]
    return make_predictions(
        paths, np.c_[1 - p, p], truth, ("NORMAL", "SICK"), patients=patients, split="test"
    )


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """An evaluation's folder, and a table of its own."""
    monkeypatch.setattr(page, "render_figures", undrawn)
    folder = tmp_path / "first"
    evaluate_predictions(
        {"test": model(0)},
        folder,
        MeasureSettings(threshold=0.4, resamples=100),
        ReportContext(tables="predictions.csv"),
    )
    return folder, write_predictions(model(1), tmp_path / "second.csv")


def test_sentences_and_file(places: tuple[Path, Path], tmp_path: Path, cxr: Call) -> None:
    outcome = cxr("compare", *places, "--out", tmp_path / "c")
    assert outcome.code == 0 and outcome.err == ""
    lines = outcome.lines
    assert lines[0].endswith("the same 80 images of 20 patients.")
    for line, start in zip(
        lines[1:5], ("AUROC", "Accuracy", "Sensitivity", "Specificity"), strict=True
    ):
        assert line.startswith(f"{start}: A 0.") and "95% interval" in line and "n=" in line
    assert "DeLong's test" in lines[5] and "McNemar's exact test" in lines[6]
    assert "not a medical device" in outcome.out
    assert lines[-1] == f"written: {tmp_path / 'c' / 'compare.json'}"


def test_json_is_the_file(places: tuple[Path, Path], tmp_path: Path, cxr: Call) -> None:
    outcome = cxr("compare", *places, "--out", tmp_path / "c", "--seed", "3", "--json")
    written = json.loads((tmp_path / "c" / "compare.json").read_text(encoding="utf-8"))
    assert outcome.code == 0 and outcome.json == written
    assert written["intervals"]["seed"] == 3 and written["a"]["threshold"] == 0.4
    assert set(written) == {
        "about", "a", "b", "n", "n_patients", "classes", "positive", "splits", "intervals",
        "difference", "delong", "mcnemar",
    }  # fmt: skip


def test_what_is_refused(places: tuple[Path, Path], tmp_path: Path, cxr: Call) -> None:
    short = write_predictions(model(1, n=60), tmp_path / "short.csv")
    for second, options, code, said in (
        (short, (), 1, "the first model has 80 images, the second 60, and 60 are shared"),
        (tmp_path / "gone", (), 2, "no predictions at "),
        (places[0], ("--split", "valid"), 2, "no predictions of valid; it has none"),
    ):
        outcome = cxr(
            "compare", places[0] / "predictions.csv", second, *options, "--out", tmp_path / "c"
        )
        assert outcome.code == code and said in outcome.error
    assert not (tmp_path / "c").exists()
