"""Another model takes over, or is refused."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cxr.apply.service.live import LiveModel, model_name
from cxr.errors import BundleError


def a_predictor(path: Path) -> Any:
    """Whatever is in the file is its digest; a file of nothing is refused."""
    text = path.read_text()
    if not text:
        raise BundleError(f"{path.name}: self-test failed")
    config = SimpleNamespace(classes=("A", "B"), population="")
    return SimpleNamespace(path=path, digest=text, config=config)


async def until(said: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not said():
            await asyncio.sleep(0.005)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "model.cxr"
    path.write_text("first")
    return path


def replaced(file: Path, text: str) -> None:
    other = file.with_name("other")
    other.write_text(text)
    other.replace(file)


def watched(file: Path, then: Callable[[LiveModel, list[tuple[str, str]]], Any]) -> None:
    """Runs `then(live, told)` while the file is watched."""
    told: list[tuple[str, str]] = []
    live = LiveModel(a_predictor(file), reopen=a_predictor, changed=lambda *said: told.append(said))

    async def run() -> None:
        watcher = asyncio.create_task(live.watch(0.01))
        await then(live, told)
        watcher.cancel()

    asyncio.run(run())


def test_a_new_file_takes_over(file: Path) -> None:
    async def then(live: LiveModel, told: list[tuple[str, str]]) -> None:
        before = live.model
        replaced(file, "second")
        await until(lambda: bool(told))
        assert told == [("taken", "")] and live.model.predictor.digest == "second"
        assert live.model.about["model"] == {"name": "model", "digest": "second"}
        assert before.predictor.digest == "first"

    watched(file, then)


def test_a_bad_file_is_refused_and_a_good_one_after_it_taken(file: Path) -> None:
    async def then(live: LiveModel, told: list[tuple[str, str]]) -> None:
        replaced(file, "")
        await until(lambda: bool(told))
        assert told == [("refused", "model.cxr: self-test failed")]
        assert live.model.predictor.digest == "first" and live.refused
        await asyncio.sleep(0.05)
        assert len(told) == 1, "told once"
        replaced(file, "third")
        await until(lambda: len(told) == 2)
        assert live.model.predictor.digest == "third" and not live.refused

    watched(file, then)


def test_a_file_that_is_gone_or_touched_changes_nothing(file: Path) -> None:
    async def then(live: LiveModel, told: list[tuple[str, str]]) -> None:
        os.utime(file, ns=(1, 1))
        await asyncio.sleep(0.05)
        file.unlink()
        await asyncio.sleep(0.05)
        assert told == [] and live.model.predictor.digest == "first"
        file.write_text("again")
        await until(lambda: bool(told))
        assert live.model.predictor.digest == "again"

    watched(file, then)


def test_reloading_reads_it_at_once(file: Path) -> None:
    async def then(live: LiveModel, told: list[tuple[str, str]]) -> None:
        file.unlink()
        live.reload()
        await until(lambda: bool(told))
        assert told == [("refused", "FileNotFoundError")] and live.model.predictor.digest == "first"

    watched(file, then)


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("model.cxr", "model"),
        ("Süd 3/2.cxr", "2"),
        ("a b(1).x.cxr", "a-b-1-.x"),
        ("ü.cxr", "model"),
    ],
)
def test_names_are_safe_in_an_address(file: str, name: str) -> None:
    assert model_name(Path(file)) == name


def test_what_a_model_says_is_made_once(file: Path) -> None:
    live = LiveModel(a_predictor(file), name="chest")
    assert live.name == "chest" and live.model.about["classes"] == ["A", "B"]
    assert replace(live.model, name="other").about["model"]["name"] == "other"
