from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import cxr
from cxr.errors import UsageError
from cxr.evaluate import measure, read_predictions
from cxr.report import ReportContext, page
from cxr.report.figures import FIGURES
from cxr.report.results import MeasureSettings, evaluate_predictions
from helpers.figures import undrawn

QUICK = MeasureSettings(resamples=100)


@pytest.fixture(autouse=True)
def quick_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing takes seconds and has tests of its own."""
    monkeypatch.setattr(page, "render_figures", undrawn)


def test_the_folder_holds_everything(tmp_path: Path, simulate_binary: Any) -> None:
    splits = {"valid": simulate_binary(n=80), "test": simulate_binary(n=60, seed=1)}
    out = tmp_path / "runs" / "a"
    metrics = evaluate_predictions(
        splits, out, MeasureSettings(threshold=0.3, resamples=100, seed=5)
    )
    assert json.loads((out / "metrics.json").read_text(encoding="utf-8")) == metrics
    assert set(metrics) == {"about", "valid", "test"}
    more = {"operating_point", "decision_curve", "validation_minus_test"}
    assert more - set(metrics["valid"]) == {"validation_minus_test"}
    measured = {name: value for name, value in metrics["test"].items() if name not in more}
    assert measured == measure(splits["test"], 0.3, resamples=100, seed=5)
    assert more <= set(metrics["test"])
    assert metrics["about"]["format"] == 1
    assert metrics["about"]["generator"] == f"cxr {cxr.__version__}"
    assert "not a medical device" in metrics["about"]["research_use_only"]
    names = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    figures = {f"figures/{split}_{name}.png" for split in splits for name in FIGURES}
    tables = {"predictions_valid.csv", "predictions_test.csv"}
    assert names == figures | tables | {"metrics.json", "report.json", "report.html"}


def test_the_table_agrees_with_the_figures_at_the_threshold(
    tmp_path: Path, simulate_binary: Any
) -> None:
    predictions = simulate_binary(n=80)
    metrics = evaluate_predictions(
        {"valid": predictions}, tmp_path, MeasureSettings(threshold=0.3, resamples=100)
    )
    table = read_predictions(tmp_path / "predictions_valid.csv").table
    assert table["correct"].mean() == metrics["valid"]["accuracy"]["value"]
    pd.testing.assert_frame_equal(table, predictions.at(0.3).table)


def test_the_table_of_one_split_may_have_another_name(tmp_path: Path, simulate_binary: Any) -> None:
    predictions = simulate_binary(n=40)
    evaluate_predictions(
        {"test": predictions}, tmp_path, QUICK, ReportContext(tables="predictions.csv")
    )
    assert not list(tmp_path.glob("predictions_*"))
    pd.testing.assert_frame_equal(
        read_predictions(tmp_path / "predictions.csv").table, predictions.at(0.5).table
    )
    report = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "read_predictions(&quot;predictions.csv&quot;" in report


def test_two_splits_do_not_share_a_file(tmp_path: Path, simulate_binary: Any) -> None:
    splits = {"valid": simulate_binary(n=20), "test": simulate_binary(n=20)}
    with pytest.raises(UsageError, match=r"one file predictions\.csv for 2 splits; add \{split\}"):
        evaluate_predictions(splits, tmp_path, context=ReportContext(tables="predictions.csv"))
    assert list(tmp_path.iterdir()) == []


def test_parts_and_their_images_come_along(tmp_path: Path, simulate_binary: Any) -> None:
    context = ReportContext(settings={"size": 128}, images={"image.png": b"png"})
    evaluate_predictions({"valid": simulate_binary(n=60)}, tmp_path, QUICK, context)
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert report["parts"] == {"settings": {"size": 128}}
    assert (tmp_path / "figures" / "image.png").read_bytes() == b"png"


def test_a_second_run_replaces_the_first(tmp_path: Path, simulate_binary: Any) -> None:
    for seed in (0, 1):
        metrics = evaluate_predictions({"valid": simulate_binary(n=60, seed=seed)}, tmp_path, QUICK)
    assert json.loads((tmp_path / "metrics.json").read_text(encoding="utf-8")) == metrics
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.parametrize("name", ["", "about", "../x", "a b", "a/b", "-x"])
def test_split_names_that_make_no_file_are_refused(
    name: str, tmp_path: Path, simulate_binary: Any
) -> None:
    with pytest.raises(UsageError, match="split name"):
        evaluate_predictions({name: simulate_binary(n=20)}, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_no_split_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no split"):
        evaluate_predictions({}, tmp_path)


def test_importing_evaluate_brings_in_neither_torch_nor_plotting() -> None:
    code = (
        "import sys, cxr.evaluate; heavy = {'torch', 'matplotlib', 'sklearn', 'scipy', 'PIL'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
