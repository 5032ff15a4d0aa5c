from __future__ import annotations

import csv
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cxr.apply import batch, load_learner
from cxr.find import get_image_files

Call = Callable[..., Any]


@pytest.fixture
def model(trained: tuple[Path, Any]) -> Path:
    return trained[0] / "model.cxr"


@pytest.fixture
def some(films: Path) -> list[Path]:
    return list(get_image_files(films)[:3])


def test_a_line_for_each_image(model: Path, some: list[Path], cxr: Call) -> None:
    outcome = cxr("predict", model, *some)
    assert outcome.code == 0
    predictor = load_learner(model)
    for line, path in zip(outcome.out.splitlines(), some, strict=True):
        logits = predictor.logits(predictor.pixels(path)[None])
        normal, ill = predictor.probabilities(logits, calibrated=True)[0].tolist()
        decision = predictor.decision([normal, ill])
        assert line == f"{path}: {decision} (NORMAL {normal:.4f}, PNEUMONIA {ill:.4f})"


def test_a_folder_as_json(model: Path, films: Path, cxr: Call) -> None:
    outcome = cxr("predict", model, films / "NORMAL", "--json")
    rows = outcome.json["predictions"]
    assert outcome.code == 0
    assert [row["path"] for row in rows] == [str(p) for p in get_image_files(films / "NORMAL")]
    assert {row["decision"] for row in rows} <= {"NORMAL", "PNEUMONIA"}


def test_into_a_table(model: Path, some: list[Path], tmp_path: Path, cxr: Call) -> None:
    out = tmp_path / "rows.csv"
    outcome = cxr("predict", model, *some, "--out", out)
    assert outcome.code == 0 and outcome.out == f"3 images, 0 unreadable: {out}\n"
    with out.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["path"] for row in rows] == [str(path) for path in some]
    as_json = cxr("predict", model, *some, "--out", tmp_path / "rows.jsonl", "--json").json
    assert as_json == {"out": str(tmp_path / "rows.jsonl"), "images": 3, "unreadable": 0}
    lines = (tmp_path / "rows.jsonl").read_text(encoding="utf-8").splitlines()
    assert [float(row["prob_NORMAL"]) for row in rows] == [
        json.loads(line)["prob_NORMAL"] for line in lines
    ]


@pytest.mark.parametrize("options", [(), ("--out", "rows.csv"), ("--json",)])
def test_an_unreadable_image_is_one_and_the_others_are_done(
    options: tuple[str, ...],
    model: Path,
    some: list[Path],
    tmp_path: Path,
    cxr: Call,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "note.png").write_text("Patient: Jane Doe")
    outcome = cxr("predict", model, some[0], "note.png", some[1], *options)
    assert outcome.code == 1 and "Traceback" not in outcome.err
    said = outcome.out + (tmp_path / "rows.csv").read_text() if "--out" in options else outcome.out
    assert "no known signature" in said and all(path.name in said for path in some[:2])
    assert "Jane" not in said


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("gone.cxr", "{film}"), 2, "no model file gone.cxr"),
        (("{model}", "gone.png"), 2, "no file or folder gone.png"),
        (("{model}", "{film}", "--out", "rows.xlsx"), 2, "must end in .csv, .parquet, .jsonl"),
        (("{model}", "{film}", "--engine", "spark"), 2, "unknown engine 'spark'"),
        (("{film}", "{film}"), 1, "is refused: not a cxr model"),
        (("{model}", "empty"), 1, "no images under empty"),
        (("{model}",), 2, "Missing argument"),
    ],
)
def test_what_is_refused_is_refused_before_the_work(
    arguments: tuple[str, ...],
    code: int,
    said: str,
    model: Path,
    some: list[Path],
    tmp_path: Path,
    cxr: Call,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(batch, "predict_rows", None)  # would fail if it were reached
    (tmp_path / "empty").mkdir()
    outcome = cxr("predict", *(a.format(film=some[0], model=model) for a in arguments))
    assert outcome.code == code and said in outcome.error


def test_a_pickle_is_refused_with_the_reason(some: list[Path], tmp_path: Path, cxr: Call) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (tmp_path / "the pickle was opened",)

    (tmp_path / "export.pkl").write_bytes(pickle.dumps(Trap()))
    outcome = cxr("predict", tmp_path / "export.pkl", some[0])
    assert outcome.code == 1
    assert "a Python pickle, which can run any code" in outcome.error
    assert "export the model again with cxr" in outcome.error
    assert not (tmp_path / "the pickle was opened").exists()
