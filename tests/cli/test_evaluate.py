from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from cxr.report import page
from helpers.figures import undrawn

Call = Callable[..., Any]


@pytest.fixture(autouse=True)
def without_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "render_figures", undrawn)


@pytest.fixture
def model(trained: tuple[Path, Any]) -> Path:
    return trained[0] / "model.cxr"


def test_files_and_summary(model: Path, films: Path, tmp_path: Path, cxr: Call) -> None:
    outcome = cxr("evaluate", model, films, "--out", tmp_path / "e")
    assert outcome.code == 0
    first, second = outcome.lines
    assert first.startswith("all: n=64, patients ") and "auroc 0." in first
    assert second == f"report: {tmp_path / 'e' / 'report.html'}"
    names = {path.name for path in (tmp_path / "e").iterdir()}
    assert names == {"metrics.json", "report.html", "report.json", "predictions.csv", "figures"}


def test_the_split_of_a_run_gives_the_figures_of_the_run(
    model: Path, films: Path, tmp_path: Path, cxr: Call
) -> None:
    """The exported model, evaluated from its files, agrees with the trainer."""
    run = model.parent
    outcome = cxr(
        "evaluate", model, run / "manifest.csv", "--image-root", films, "--split", "valid",
        "--out", tmp_path / "e", "--seed", "42", "--json",
    )  # fmt: skip
    assert outcome.code == 0
    before = json.loads((run / "metrics.json").read_text(encoding="utf-8"))["valid"]
    after = outcome.json["valid"]
    assert after["confusion_matrix"] == before["confusion_matrix"]
    for name in ("auroc", "auprc", "brier", "sensitivity", "specificity"):
        assert after[name]["value"] == pytest.approx(before[name]["value"], abs=1e-6)
    tables = [pd.read_csv(run / "predictions_valid.csv"),
              pd.read_csv(tmp_path / "e" / "predictions.csv")]  # fmt: skip
    merged = tables[0].merge(tables[1], on="path", validate="one_to_one")
    assert len(merged) == before["n"]
    assert (merged["prob_NORMAL_x"] - merged["prob_NORMAL_y"]).abs().max() < 1e-5


@pytest.mark.parametrize(
    ("data", "options", "code", "said"),
    [
        ("gone", (), 2, "there is no "),
        ("empty", (), 1, "no images under "),
        ("{images}", ("--split", "tset"), 2, "no split 'tset' in the data; there are: all"),
        ("other.csv", ("--image-root", "{images}"), 1, "unknown labels 'COVID'"),
        ("gone.csv", (), 2, "there is no "),
        ("{images}", ("--out", "{run}"), 2, "{run} is a run folder; choose another --out"),
    ],
)
def test_what_is_refused(
    data: str,
    options: tuple[str, ...],
    code: int,
    said: str,
    model: Path,
    films: Path,
    tmp_path: Path,
    cxr: Call,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    first = pd.read_csv(films / "manifest.csv")["path"][0]
    (tmp_path / "other.csv").write_text(f"path,label\n{first},COVID\n")
    metrics = (model.parent / "metrics.json").read_bytes()
    names = {"images": films, "run": model.parent}
    outcome = cxr(
        *("evaluate", model, data.format(**names), "--out", tmp_path / "e"),
        *(option.format(**names) for option in options),
    )
    assert outcome.code == code and said.format(**names) in outcome.error
    assert not (tmp_path / "e").exists()
    assert (model.parent / "metrics.json").read_bytes() == metrics


def test_no_model(films: Path, tmp_path: Path, cxr: Call) -> None:
    outcome = cxr("evaluate", tmp_path / "gone.cxr", films, "--out", tmp_path / "e")
    assert outcome.code == 2 and outcome.error.startswith("no model file ")


def test_predictive_values_where_fewer_are_ill(
    model: Path, films: Path, tmp_path: Path, cxr: Call
) -> None:
    found = cxr(
        "evaluate", model, films, "--out", tmp_path / "e", "--prevalence", "0.05", "--json"
    ).json["all"]
    sens, spec = (found[name]["value"] for name in ("sensitivity", "specificity"))
    expected = sens * 0.05 / (sens * 0.05 + (1 - spec) * 0.95)
    assert found["ppv_at_prevalence"]["value"] == pytest.approx(expected)
    wrong = cxr("evaluate", model, films, "--out", tmp_path / "f", "--prevalence", "5")
    assert wrong.code == 2 and "prevalence" in wrong.error
