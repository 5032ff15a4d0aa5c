"""`cxr cache`: what it lists and what it clears."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cxr._io import progress_disabled
from cxr._io.locks import take_lock
from cxr.pixels import decode_all

Call = Callable[..., Any]


@pytest.fixture
def folder(tmp_path: Path, pictures: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own, with one set of three images in it."""
    monkeypatch.setenv("CXR_CACHE_DIR", str(tmp_path / "cache"))
    with progress_disabled():
        decode_all(sorted(pictures(NORMAL=3).rglob("*.png")), (16, 24), "pad")
    return tmp_path / "cache" / "pixels"


def test_one_row_a_set_and_the_total(folder: Path, cxr: Call) -> None:
    outcome = cxr("cache")
    head, row, total = outcome.lines
    assert outcome.code == 0 and outcome.err == ""
    assert head.split() == ["images", "size", "method", "MB", "last", "used", "state"]
    assert row.split()[:5] == ["3", "16", "x", "24", "pad"] and row.endswith("ready")
    assert total.startswith("1 set, 0.0 MB of at most 21,474.8 MB in ")
    assert total.endswith(str(folder))


def test_for_machines(folder: Path, cxr: Call) -> None:
    found = cxr("cache", "--json").json
    assert found["folder"] == str(folder) and found["max_bytes"] == 20 * 1024**3
    assert found["bytes"] == sum(path.stat().st_size for path in folder.iterdir())
    (row,) = found["sets"]
    assert (row["images"], row["height"], row["width"]) == (3, 16, 24)
    assert (row["method"], row["state"]) == ("pad", "ready")
    assert row["bytes"] > 3 * 16 * 24 and row["last_used"][10] == "T"


def test_what_cannot_be_told_is_a_question_mark(folder: Path, cxr: Call) -> None:
    next(folder.glob("*.json")).write_text("{}")
    assert cxr("cache").out.splitlines()[1].split()[:3] == ["?", "?", "?"]
    assert cxr("cache", "--json").json["sets"][0]["images"] is None


def test_clear_empties_it_and_nothing_else(folder: Path, cxr: Call) -> None:
    (folder / "notes.txt").write_text("mine")
    held = cxr("cache", "--json").json["bytes"]
    outcome = cxr("cache", "--clear")
    assert outcome.code == 0
    assert outcome.out == f"{held / 1e6:,.1f} MB freed in {folder} (3 files removed)\n"
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]
    assert cxr("cache", "--clear", "--json").json == {
        "folder": str(folder),
        "freed_bytes": 0,
        "removed_files": 0,
        "left_in_use": 0,
    }
    assert cxr("cache").out.startswith("0 sets, 0.0 MB of at most ")


def test_what_a_run_is_writing_is_left(folder: Path, cxr: Call) -> None:
    with (folder / ".pixels.npy.7-ab12.part").open("wb") as file:
        assert take_lock(file)
        assert cxr("cache", "--clear").out.endswith("; 1 that a run is writing were left\n")


def test_older_than(folder: Path, cxr: Call) -> None:
    assert cxr("cache", "--clear", "--older-than", "1", "--json").json["removed_files"] == 0
    assert cxr("cache", "--clear", "--older-than", "0", "--json").json["removed_files"] == 3


@pytest.mark.parametrize("arguments", [("--older-than", "3"), ("--clear", "--older-than", "-1")])
def test_wrong_usage(arguments: tuple[str, ...], folder: Path, cxr: Call) -> None:
    outcome = cxr("cache", *arguments)
    assert outcome.code == 2 and "--older-than" in outcome.error
    assert len(list(folder.iterdir())) == 3


def test_a_cache_that_was_never_made(
    tmp_path: Path, cxr: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXR_CACHE_DIR", str(tmp_path / "none"))
    assert cxr("cache").code == 0 and cxr("cache", "--clear").code == 0
    assert not (tmp_path / "none").exists()
