from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cxr.apply import Predictor, batch, load_learner, predict_files
from cxr.apply.batch import columns_of, predict_rows
from cxr.apply.batch import rows as rows_module
from cxr.apply.predictor import load_predictor


@pytest.fixture
def predictor(tiny_model: Path) -> Predictor:
    return load_learner(tiny_model)


@pytest.fixture
def mixed(films: list[Path], tmp_path: Path) -> list[Path]:
    """Six images, and between them a text file, an empty one and one that is not there."""
    (tmp_path / "text.jpeg").write_text("Patient: Jane Doe")
    (tmp_path / "empty.png").touch()
    bad = [tmp_path / "text.jpeg", tmp_path / "empty.png", tmp_path / "gone.png"]
    return [films[0], bad[0], bad[1], *films[1:], bad[2]]


@pytest.mark.parametrize("chunk", [1, 2, 4, 128])
def test_a_row_for_each_file_in_its_order(
    chunk: int, predictor: Predictor, mixed: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows_module, "CHUNK", chunk)
    rows = predict_files(predictor, mixed)
    assert [row["path"] for row in rows] == [str(path) for path in mixed]
    assert {len(row) for row in rows} == {18}
    assert {tuple(row)[:5] for row in rows} == {
        ("path", "status", "not_judged", "decision", "threshold_PNEUMONIA")
    }
    assert [row["error"] is None for row in rows] == [True, False, False, *[True] * 5, False]
    for path, row in zip(mixed, rows, strict=True):
        if row["error"] is None:
            logits = predictor.logits(predictor.pixels(path)[np.newaxis])
            chances = predictor.probabilities(logits, calibrated=True)[0].tolist()
            found = [row["prob_NORMAL"], row["prob_PNEUMONIA"]]
            assert found == pytest.approx(chances, abs=1e-5)
            assert row["decision"] == predictor.predict(path)[0] == predictor.decision(found)
            assert row["most_probable"] == ("NORMAL", "PNEUMONIA")[int(np.argmax(found))]
            assert row["threshold_PNEUMONIA"] == 0.4 and row["status"] == "not judged"


def test_a_bad_file_has_its_reason_and_no_figures(predictor: Predictor, mixed: list[Path]) -> None:
    rows = {Path(row["path"]).name: row for row in predict_files(predictor, mixed)}
    for name, reason in (
        ("text.jpeg", "no known signature"),
        ("empty.png", "empty"),
        ("gone.png", "no such file"),
    ):
        assert reason in rows[name]["error"] and "Jane" not in rows[name]["error"]
        for key in ("status", "decision", "prob_NORMAL", "prob_PNEUMONIA"):
            assert rows[name][key] is None


def test_nothing_is_held_back_for_the_end(predictor: Predictor, films: list[Path]) -> None:
    """Of a million files the first rows come at once: few are read ahead."""
    asked = []

    class Endless(list):  # type: ignore[type-arg]
        def __iter__(self):  # type: ignore[no-untyped-def]
            for i in range(10**6):
                asked.append(i)
                yield films[0]

    first = next(batch.predict_rows(predictor, Endless()))
    assert first["error"] is None and len(asked) < 1000


def test_several_labels(write_model: Callable[..., Path], films: list[Path]) -> None:
    model = write_model(classes=("Edema", "Mass", "Nodule"), multi_label=True)
    (row,) = predict_files(load_learner(model), films[:1])
    chances = {name: row[f"prob_{name}"] for name in ("Edema", "Mass", "Nodule")}
    assert row["decision"] == "; ".join(name for name, p in chances.items() if p >= 0.5)


def test_another_prevalence_has_its_own_columns(
    write_model: Callable[..., Path], films: list[Path], mixed: list[Path]
) -> None:
    predictor = load_predictor(write_model(training_data={"prevalence": 0.6}), "torch")
    plain, shifted = (
        list(predict_rows(predictor, mixed)),
        list(predict_rows(predictor, mixed, 0.05)),
    )
    names = ["at_prevalence_0.05_NORMAL", "at_prevalence_0.05_PNEUMONIA"]
    assert list(shifted[0]) == columns_of(predictor.config, 0.05)
    for row, own in zip(shifted, plain, strict=True):
        normal, ill = (row.pop(name) for name in names)
        assert row == own
        if own["error"] is None:
            odds = own["prob_PNEUMONIA"] / own["prob_NORMAL"] * (0.05 / 0.95) / (0.6 / 0.4)
            assert ill == pytest.approx(odds / (1 + odds), rel=1e-5)
            assert normal == pytest.approx(1 - ill, abs=1e-6)
        else:
            assert normal is None and ill is None


def test_a_reader_and_a_predictor_say_the_same(tiny_model: Path, mixed: list[Path]) -> None:
    rows = predict_files(load_predictor(tiny_model, "torch"), mixed)
    assert rows == predict_files(load_learner(tiny_model), mixed)
