from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cxr._io import write_text
from cxr.config import RunConfig
from cxr.evaluate import make_predictions
from cxr.report import page
from cxr.report.results import MeasureSettings, evaluate_predictions
from cxr.track import compare_runs
from helpers.figures import undrawn

Call = Callable[..., Any]


def finished(folder: Path, seed: int, n: int = 80) -> Path:
    truth = np.arange(n) % 2
    p = 1 / (1 + np.exp(-2 * truth + 1 - np.random.default_rng(seed).normal(size=n)))
    predictions = make_predictions(
        [f"{i}.png" for i in range(n)], np.c_[1 - p, p], truth, ("NORMAL", "SICK"), split="valid"
    )
    write_text(folder / "config.yaml", RunConfig(data="images", seed=seed, size=128).to_yaml())
    rows = ["phase,epoch,train_loss,valid_loss,seconds", "0,0,0.5,0.4,1200", "1,0,0.4,0.3,34.5"]
    write_text(folder / "history.csv", "\n".join(rows) + "\n")
    settings = MeasureSettings(threshold=0.4, resamples=100)
    evaluate_predictions({"valid": predictions}, folder, settings)
    return folder


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two finished runs, one that has begun, and a folder that is none."""
    monkeypatch.setattr(page, "render_figures", undrawn)
    folder = tmp_path / "runs"
    finished(folder / "a", seed=1)
    finished(folder / "b", seed=2)
    write_text(folder / "c" / "config.yaml", RunConfig(data="images", size=96).to_yaml())
    (folder / "notes").mkdir()
    monkeypatch.chdir(tmp_path)
    return folder


def test_a_table_of_what_lies_in_runs(runs: Path, cxr: Call) -> None:
    outcome = cxr("runs", "--sort", "name")
    assert outcome.code == 0
    assert outcome.err == f"{Path('runs') / 'notes'}: no run: it has no config.yaml\n"
    head, *rows = outcome.lines
    names = "run state backbone size images epochs AUROC (valid) error sens / spec seconds date"
    assert " ".join(head.split()) == names
    valid = json.loads((runs / "a" / "metrics.json").read_text(encoding="utf-8"))["valid"]
    cells = rows[0].split()
    assert cells[:5] == [str(Path("runs") / "a"), "finished", "efficientnet_lite0", "128", "2"]
    auroc = valid["auroc"]
    shown = f"{auroc['value']:.4f} ({auroc['low']:.3f} to {auroc['high']:.3f})"
    assert rows[0].index(shown) == head.index("AUROC")
    assert f"{valid['sensitivity']['value']:.4f} / {valid['specificity']['value']:.4f}" in rows[0]
    assert "1,234" in rows[0] or "1,235" in rows[0]
    begun = f"{Path('runs') / 'c'} unfinished efficientnet_lite0 96 0"
    assert " ".join(rows[2].split()[:5]) == begun


def test_sorted_and_as_json(runs: Path, cxr: Call) -> None:
    outcome = cxr("runs", runs, "--sort", "auroc", "--json")
    assert outcome.code == 0 and outcome.err == ""
    found = outcome.json["runs"]
    first, second = (one["auroc"]["value"] for one in found[:2])
    assert first >= second and found[2]["auroc"] is None
    assert list(outcome.json["left_out"]) == [str(runs / "notes")]


def test_side_by_side(runs: Path, cxr: Call) -> None:
    outcome = cxr("runs", "--compare", runs / "a", runs / "b", runs / "c")
    assert outcome.code == 0 and outcome.err == ""
    lines = outcome.lines
    assert lines[0].split() == [*(str(runs / name) for name in "abc"), "(unfinished)"]
    assert lines[1].split() == ["size", "128", "128", "96"]
    assert lines[2].split() == ["seed", "1", "2", "42"]
    assert any(line.startswith("auroc  ") and line.count("(0.") == 2 for line in lines)
    assert any(line.startswith("AUROC: A 0.") and "B minus A" in line for line in lines)
    assert lines[-1].startswith(f"{runs / 'a'} and {runs / 'c'} are not compared: ")
    as_json = cxr("runs", "--compare", runs / "a", runs / "b", "--json")
    assert as_json.json == compare_runs([runs / "a", runs / "b"])


def test_nothing_there_yet(tmp_path: Path, cxr: Call) -> None:
    assert cxr("runs", tmp_path).lines == ["no runs"]
    outcome = cxr("runs", tmp_path / "nowhere")
    assert outcome.code == 2 and "is not a folder" in outcome.error


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--sort", "colour"], "unknown order of runs 'colour'"),
        (["--compare", "runs/a"], "1 run to compare"),
        (["--compare"], "0 runs to compare"),
    ],
)
def test_wrong_usage(runs: Path, cxr: Call, arguments: list[str], said: str) -> None:
    outcome = cxr("runs", *arguments)
    assert outcome.code == 2 and said in outcome.err


def test_a_name_cannot_forge_a_line(runs: Path, cxr: Call) -> None:
    if sys.platform == "win32":
        pytest.skip("Windows has no such names")
    (runs / "a").rename(runs / "x\ny\x1b[31m")
    out = cxr("runs", runs).out
    assert len(out.splitlines()) == 5 and "\x1b" not in out
