from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from cxr.config import RunConfig
from cxr.report import page
from cxr.workflows import demo
from helpers.figures import undrawn

Call = Callable[..., Any]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    tiny = partial(
        RunConfig, size=64, epochs=0, batch_size=8, backbone="test_efficientnet", weights=None
    )
    monkeypatch.setattr(demo, "RunConfig", tiny)
    monkeypatch.setattr(page, "render_figures", undrawn)


def test_all_five_steps(tmp_path: Path, cxr: Call) -> None:
    outcome = cxr("demo", "--out", tmp_path / "demo", "--images", "30")
    assert outcome.code == 0
    steps = [line for line in outcome.err.splitlines() if line[:2] in ("1.", "2.", "3.", "5.")]
    assert len(steps) == 4
    assert "SYNTHETIC: the figures say nothing of real patients" in outcome.out
    assert "prediction: " in outcome.out
    for name in ("data/manifest.csv", "check/check.html", "run/model.cxr", "run/report.html"):
        assert (tmp_path / "demo" / name).is_file()
    report = (tmp_path / "demo/run/report.html").read_text(encoding="utf-8")
    assert "SYNTHETIC images, no real patients" in report
    assert "The data were not checked" not in report and "Shortcuts: not judged" in report
    check = (tmp_path / "demo/check/check.json").read_bytes()
    assert (tmp_path / "demo/run/check.json").read_bytes() == check

    again = cxr("demo", "--out", tmp_path / "demo")
    assert again.code == 2 and "is there already; remove" in again.error


def test_json_is_all_there_is_on_stdout(tmp_path: Path, cxr: Call) -> None:
    found = cxr("demo", "--out", tmp_path / "demo", "--images", "30", "--json").json
    assert set(found) == {"run", "report", "metrics", "prediction"}
    assert found["prediction"]["error"] is None and found["metrics"]["valid"]["n"] > 0


def test_too_few_images_are_refused(tmp_path: Path, cxr: Call) -> None:
    outcome = cxr("demo", "--out", tmp_path / "demo", "--images", "2")
    assert outcome.code == 1 and "class" in outcome.error
