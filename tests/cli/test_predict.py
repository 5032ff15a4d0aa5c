from __future__ import annotations

import csv
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import cxr.scale as scale
from cxr.apply import load_learner
from cxr.apply.batch import folder, image_results, rows, run, table
from cxr.backbones import Architecture, build_network
from cxr.bundle import BundleConfig, write_bundle
from cxr.cli._output import prediction_line
from cxr.errors import StorageError
from cxr.find import get_image_files

Call = Callable[..., Any]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights: what they say is of no matter here."""
    classes = ("NORMAL", "PNEUMONIA")
    network, source = build_network(Architecture("test_efficientnet", 2, 64), None, seed=1)
    config = BundleConfig(
        classes=classes,
        positive=classes[1],
        backbone="test_efficientnet",
        size=64,
        weights_source=source,
        threshold=0.4,
        training_data={"prevalence": 0.6},
    )
    return write_bundle(tmp_path_factory.mktemp("model") / "model.cxr", network, config)


@pytest.fixture
def some(films: Path) -> list[Path]:
    return list(get_image_files(films)[:3])


def test_a_line_for_each_image(model: Path, some: list[Path], cxr: Call) -> None:
    outcome = cxr("predict", model, *some)
    assert outcome.code == 0
    predictor = load_learner(model)
    for line, path in zip(outcome.lines, some, strict=True):
        logits = predictor.logits(predictor.pixels(path)[None])
        decision = predictor.decision(predictor.probabilities(logits, calibrated=True)[0].tolist())
        assert line.startswith(f"{path}: Not judged: whether it is unlike the training images")
        assert line.endswith(f"Decision: {decision} (operating threshold 0.4)")


def test_a_folder_as_json(model: Path, films: Path, cxr: Call) -> None:
    outcome = cxr("predict", model, films / "NORMAL", "--json")
    rows = outcome.json["predictions"]
    assert outcome.code == 0
    assert [row["path"] for row in rows] == [str(p) for p in get_image_files(films / "NORMAL")]
    assert {row["decision"] for row in rows} <= {"NORMAL", "PNEUMONIA"}


def test_into_a_table(model: Path, some: list[Path], tmp_path: Path, cxr: Call) -> None:
    out = tmp_path / "rows.csv"
    outcome = cxr("predict", model, *some, "--out", out)
    assert outcome.code == 0 and outcome.lines == [f"3 images, 0 unreadable: {out}"]
    with out.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["path"] for row in rows] == [str(path) for path in some]
    as_json = cxr("predict", model, *some, "--out", tmp_path / "rows.jsonl", "--json").json
    counts = {"images": 3, "unreadable": 0, "resumed": 0}
    assert as_json == {"out": str(tmp_path / "rows.jsonl"), **counts}
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
        (("gone.cxr", "{image}"), 2, "no model file gone.cxr"),
        (("{model}", "gone.png"), 2, "no file or folder gone.png"),
        (("{model}", "{image}", "--out", "rows.xlsx"), 2, "must end in .csv, .parquet, .jsonl"),
        (("{model}", "{image}", "--engine", "spark"), 2, "engine 'spark' is not one of local, ray"),
        (("{model}", "{image}", "--runtime", "jax"), 2, "unknown runtime 'jax'"),
        (("{model}", "{image}", "--prevalence", "1.5"), 2, "prevalence 1.5"),
        (("{model}", "{image}", "--workers", "2"), 2, "go with --engine ray"),
        (("{model}", "{image}", "--gpus-per-worker", "1"), 2, "go with --engine ray"),
        (("{model}", "s3://b/images"), 2, "s3://b/images: object storage goes with --engine ray"),
        (("{model}", "{image}", "--out", "gs://b/rows"), 2, "storage goes with --engine ray"),
        (
            ("{model}", "s3://b/images", "--engine", "ray", "--explain", "heat"),
            2,
            "need images on this machine, not URIs",
        ),
        (
            ("{model}", "{image}", "--engine", "ray", "--explain", "heat", "--out", "rows/"),
            2,
            "let --out end in .csv, .parquet or .jsonl",
        ),
        (("{model}", "{image}", "--explain", "full"), 2, "full is not an empty folder"),
        (("{model}", "full", "--explain", "full/heat"), 2, "choose a folder outside"),
        (("{image}", "{image}"), 1, "is refused: not a cxr model"),
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
    monkeypatch.setattr(rows, "predict_chunks", None)  # would fail if it were reached
    (tmp_path / "empty").mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "image.png").touch()
    outcome = cxr("predict", *(a.format(image=some[0], model=model) for a in arguments))
    assert outcome.code == code and said in outcome.error


def test_through_ray_it_says_on_which_machines(
    model: Path, some: list[Path], cxr: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def predict_ray(model: Path, files: Any, out: str, options: Any, **more: Any) -> Any:
        asked.append((list(files), out, options, more["restart"]))
        return scale.RayResult(out, 3, 1, 0, 2, {"a": 2, "b": 1})

    monkeypatch.setattr(scale, "predict_ray", predict_ray)
    options = ("--engine", "ray", "--workers", "2", "--gpus-per-worker", "0.5", "--restart")
    outcome = cxr("predict", model, *some, *options, "--out", "s3://b/rows")
    assert outcome.code == 1
    assert outcome.out == "3 images, 1 unreadable: s3://b/rows (workers: 2, machines: 2)\n"
    assert asked == [(some, "s3://b/rows", scale.RayOptions(2, 0.5), True)]
    found = cxr("predict", model, *some, *options, "--out", "rows/", "--json").json
    assert found["nodes"] == {"a": 2, "b": 1} and found["workers"] == 2


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


def interrupted_after(n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Prediction fails for good after `n` chunks of four images, each certain at once."""
    predict = rows.predict_chunks

    def stops(*arguments: Any) -> Any:
        for i, chunk in enumerate(predict(*arguments)):
            if i == n:
                raise StorageError("the plug was pulled")
            yield chunk

    monkeypatch.setattr(rows, "CHUNK", 4)
    monkeypatch.setattr(table, "COMMIT_EVERY_S", 0.0)
    monkeypatch.setattr(run, "predict_chunks", stops)


def test_the_same_command_goes_on(
    model: Path, films: Path, tmp_path: Path, cxr: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, whole = tmp_path / "rows.csv", tmp_path / "whole.csv"
    with monkeypatch.context() as patch:
        patch.setattr(rows, "CHUNK", 4)
        assert cxr("predict", model, films, "--out", whole).code == 0
    with monkeypatch.context() as patch:
        interrupted_after(5, patch)
        assert cxr("predict", model, films, "--out", out).error == "the plug was pulled"
        assert not out.exists()
        refused = cxr("predict", model, films / "NORMAL", "--out", out)
        assert refused.code == 2 and "another number of files 64, now" in refused.error
    with monkeypatch.context() as patch:
        patch.setattr(rows, "CHUNK", 4)
        outcome = cxr("predict", model, films, "--out", out, "--json")
    assert outcome.json["resumed"] == 20 and "20 of 64 images are done" in outcome.err
    assert out.read_bytes() == whole.read_bytes()
    assert sorted(tmp_path.iterdir()) == [out, whole]


def test_heat_maps_have_their_column_and_go_on(
    model: Path, some: list[Path], tmp_path: Path, cxr: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "note.png").write_text("no image")
    out, heat = tmp_path / "rows.jsonl", tmp_path / "heat"
    command = ("predict", model, *some, tmp_path / "note.png", "--out", out, "--explain", heat)
    draw = image_results.explain_file

    def fails(predictor: Any, file: Path) -> bytes:
        if file == some[1]:
            raise StorageError("the plug was pulled")
        return draw(predictor, file)

    with monkeypatch.context() as patch:
        patch.setattr(image_results, "explain_file", fails)
        patch.setattr(folder, "COMMIT_EVERY_S", 0.0)
        assert cxr(*command).error == "the plug was pulled"
    drawn = {path.name for path in heat.glob("*.png")}
    assert drawn == {f"{some[0].name}.heat.png"} and out.exists()
    (heat / f"{some[0].name}.heat.png").write_bytes(b"is not drawn again")
    outcome = cxr(*command)
    assert outcome.code == 1 and f"{out} is whole already" in outcome.err
    names = [json.loads(line)["heat_map"] for line in out.read_text().splitlines()]
    assert names == [*(f"{path.name}.heat.png" for path in some), None]
    assert {path.name for path in heat.iterdir()} == set(names[:3])
    assert (heat / names[0]).read_bytes() == b"is not drawn again"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["heat", "note.png", "rows.jsonl"]


def test_restart_removes_the_heat_maps_of_another_model(
    model: Path, some: list[Path], tmp_path: Path, cxr: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    heat = tmp_path / "heat"
    with monkeypatch.context() as patch:
        patch.setattr(image_results, "explain_file", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            cxr("predict", model, some[0], "--explain", heat)
    (heat / "old.heat.png").touch()
    assert "another list of files" in cxr("predict", model, some[1], "--explain", heat).err
    assert cxr("predict", model, some[1], "--explain", heat, "--restart").code == 0
    assert [path.name for path in heat.iterdir()] == [f"{some[1].name}.heat.png"]


def test_probabilities_at_another_prevalence(model: Path, some: list[Path], cxr: Call) -> None:
    (row,) = cxr("predict", model, some[0], "--prevalence", "0.05", "--json").json["predictions"]
    ill = row["at_prevalence_0.05_PNEUMONIA"]
    assert 0 < ill < row["prob_PNEUMONIA"]
    line = prediction_line({**row, "status": "confident", "not_judged": ""})
    assert f"; at prevalence 0.05: NORMAL {1 - ill:.4f}, PNEUMONIA {ill:.4f}; operating" in line


def test_dicom_results_of_dicom_images(
    model: Path, some: list[Path], tmp_path: Path, cxr: Call
) -> None:
    pytest.importorskip("highdicom", reason='needs highdicom: pip install "cxr[dicom]"')
    outcome = cxr("predict", model, some[0], "--dicom-out", tmp_path / "dicom")
    assert outcome.code == 1 and f"DICOM result failed: {some[0]}" in outcome.err
    assert list((tmp_path / "dicom").iterdir()) == []
