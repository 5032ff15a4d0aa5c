"""`cxr sweep` as it is typed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

import cxr.scale.sweep as sweep_module
from cxr._io import progress_disabled
from cxr.cli.sweep import sweep
from cxr.errors import UsageError
from cxr.find.phantom import write_phantom
from cxr.scale.sweep.plan import Sweep

app = typer.Typer()
app.command()(sweep)
RESULT = {"sentences": ["The best of 2."], "trials": []}


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with progress_disabled():
        return write_phantom(
            tmp_path_factory.mktemp("data") / "images", n_images=30, seed=2, size=64
        )


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Sweep]:
    """What the command asks for; nothing is trained."""
    found: list[Sweep] = []

    def fake(one: Sweep, *_: Any, **__: Any) -> dict[str, Any]:
        found.append(one)
        return RESULT

    monkeypatch.setattr(sweep_module, "run_sweep", fake)
    return found


def typed(*arguments: str) -> Any:
    return CliRunner().invoke(app, arguments)


def test_values_joined_by_commas(films: Path, asked: list[Sweep], tmp_path: Path) -> None:
    lists = ["--size", "96, 128", "--lr", "1e-3,2e-3", "--balance", "no,yes", "--weights", "none"]
    how = ["--engine", "ray", "--workers", "3", "--gpus-per-trial", "0.25", "--inner-folds", "4"]
    result = typed(str(films), "--out", str(tmp_path / "a"), *lists, *how, "--seed", "7")
    assert result.exit_code == 0, result.exception
    assert "The best of 2." in result.stdout and "sweep.html" in result.stdout
    (one,) = asked
    assert one.values == {
        "size": [96, 128],
        "base_lr": [1e-3, 2e-3],
        "class_weights": [None, "balanced"],
        "weights": [None],
    }
    assert (one.engine.name, one.engine.workers, one.engine.gpus) == ("ray", 3, 0.25)
    assert (one.inner_folds, one.config.seed, one.config.split) == (4, 7, "patient")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--size", "96,big"], r"size: 'big' is not a value"),
        (["--augment", "perhaps"], r"augment: 'perhaps' is not a value"),
        (["--engine", "slurm"], "is not one of local, ray"),
    ],
)
def test_wrong_usage_is_one_line(
    films: Path, tmp_path: Path, arguments: list[str], words: str
) -> None:
    error = typed(str(films), "--out", str(tmp_path / "a"), *arguments).exception
    assert isinstance(error, UsageError)
    assert "\n" not in str(error)
    with pytest.raises(UsageError, match=words):
        raise error
    assert not (tmp_path / "a").exists()
