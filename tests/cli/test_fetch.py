"""`cxr fetch`: options in, a folder and its receipt out. Nothing is downloaded here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cxr.find import fetch as fetch_module

Call = Callable[..., Any]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    calls: list[Any] = []

    def fetch(name: str, out: Path, **options: Any) -> Path:
        calls.append((name, out, options))
        return out

    monkeypatch.setattr(fetch_module, "fetch", fetch)
    monkeypatch.setattr(fetch_module, "receipt", lambda _: {"images": 5, "citation": "Someone"})
    return calls


def test_where_it_lies_and_how_to_cite_it(asked: list[Any], cxr: Call) -> None:
    outcome = cxr("fetch", "kermany", "images")
    assert (outcome.code, outcome.lines) == (0, ["images: 5 images; to cite them: Someone"])
    assert asked == [("kermany", Path("images"), {"source": "auto", "url": None, "sha256": None})]
    as_json = cxr("fetch", "kermany", "images", "--direct", "--sha256", "ab", "--json").json
    assert as_json == {"path": "images", "images": 5, "citation": "Someone"}
    assert asked[1][2] == {"source": "direct", "url": None, "sha256": "ab"}


def test_an_unknown_name_lists_near_ones(tmp_path: Path, cxr: Call) -> None:
    outcome = cxr("fetch", "kermny", tmp_path / "images")
    assert outcome.code == 2
    assert outcome.error == "unknown data set 'kermny'; near names: kermany"
    assert not list(tmp_path.iterdir())


def test_without_a_login_three_lines_say_how_to_get_one(
    tmp_path: Path, cxr: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("KAGGLE_USERNAME", "KAGGLE_KEY", "KAGGLE_API_TOKEN", "KAGGLE_KERNEL_RUN_TYPE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(tmp_path))
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    outcome = cxr("fetch", "kermany", tmp_path / "images")
    assert outcome.code == 2
    assert len(outcome.err.splitlines()) == 3
    assert "kaggle.json" in outcome.err and "--direct" in outcome.err
    assert not (tmp_path / "images").exists()
