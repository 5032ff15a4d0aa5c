from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cxr.apply.stress import PERTURBATIONS

Call = Callable[..., Any]


@pytest.fixture
def model(trained: tuple[Path, Any]) -> Path:
    return trained[0] / "model.cxr"


def test_a_table_and_a_sentence(model: Path, films: Path, tmp_path: Path, cxr: Call) -> None:
    outcome = cxr("stress", model, films, "--out", tmp_path / "s", "--images", "12")
    assert outcome.code == 0
    lines = outcome.lines
    assert lines[0].startswith("Research tool, not a medical device")
    assert lines[1].startswith("trained on: 64 images from 'phantom'")
    assert "The model was trained on images among these" in outcome.out
    assert lines[-1] == f"figure: {tmp_path / 's' / 'stress.png'}"
    for one in PERTURBATIONS:
        for words in one.strengths:
            assert any(line.startswith(one.name) and f"  {words}  " in line for line in lines)
    assert {path.name for path in (tmp_path / "s").iterdir()} == {"stress.json", "stress.png"}


def test_as_json_of_one_split(model: Path, films: Path, tmp_path: Path, cxr: Call) -> None:
    run = model.parent
    outcome = cxr(
        "stress", model, run / "manifest.csv", "--image-root", films, "--split", "valid",
        "--out", tmp_path / "s", "--json",
    )  # fmt: skip
    assert outcome.code == 0
    result = outcome.json
    assert result["split"] == "valid" and 0 < result["n"] < 64
    assert result["summary"] and result["model"] == "model.cxr"
    assert len(result["changes"]) == sum(len(one.strengths) for one in PERTURBATIONS)


@pytest.mark.parametrize(
    ("data", "options", "code", "said"),
    [
        ("gone", (), 2, "there is no "),
        ("{images}", ("--split", "tset"), 2, "no split 'tset' in the data; there are: all"),
        ("{images}", ("--images", "0"), 2, "--images"),
        ("{images}", ("--out", "{images}/s"), 2, "where its figure would count as an image"),
        ("other.csv", ("--image-root", "{images}"), 1, "unknown labels 'COVID'"),
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
    first = next((films / "NORMAL").iterdir()).relative_to(films).as_posix()
    (tmp_path / "other.csv").write_text(f"path,label\n{first},COVID\n")
    outcome = cxr(
        *("stress", model, data.format(images=films), "--out", tmp_path / "s"),
        *(option.format(images=films) for option in options),
    )
    assert outcome.code == code and said in outcome.error
    assert not (tmp_path / "s").exists() and not (films / "s").exists()
