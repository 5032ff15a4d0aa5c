"""Prediction through a real Ray: the table of the local engine, whatever the processes do."""

from __future__ import annotations

import os
import shutil
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import cxr.scale.predict.flow as flow
from cxr.apply.batch import ImageList, Row, predict_files, predict_table
from cxr.apply.onnx import export_onnx
from cxr.apply.predictor import load_predictor
from cxr.errors import CxrError
from cxr.scale import RayOptions, list_anywhere, predict_ray, rows_by_ray
from cxr.scale.predict import parts
from cxr.scale.predict.parts import name_of
from cxr.scale.predict.stages import PredictFiles, PredictionPlan, PredictPixels, TryCounter

pytestmark = pytest.mark.filterwarnings("ignore")  # Ray's own

SIZE = 128  # files in a part, here


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "SIZE", SIZE)


@pytest.fixture(scope="module")
def served(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model with its network as ONNX, which workers run without torch."""
    model = tmp_path_factory.mktemp("served") / "model.cxr"
    export_onnx(tiny_model, model)
    return model


@pytest.fixture(scope="module")
def many(films: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 300 files; every tenth cannot be read."""
    folder = tmp_path_factory.mktemp("many") / "images"
    folder.mkdir()
    for i in range(300):
        shutil.copy(films[i % 10], folder / f"{i:03}{films[i % 10].suffix}")
    return folder


@pytest.fixture
def dies_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The first process that has a part before it is killed; then this file is there."""
    mark = tmp_path / "killed"

    class DiesOnce(PredictFiles):
        def __call__(self, batch: Any) -> Any:
            if not mark.exists():
                mark.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            return super().__call__(batch)

    monkeypatch.setattr(flow, "PredictFiles", DiesOnce)
    return mark


def test_same_bytes_as_the_local_engine_after_a_kill(
    ray_here: Any, served: Path, many: Path, tmp_path: Path, dies_once: Path
) -> None:
    files = list_anywhere([str(many)])
    done = predict_ray(served, files, tmp_path / "ray.csv", RayOptions(workers=2, prevalence=0.1))
    local = predict_table(load_predictor(served), files, tmp_path / "local.csv", prevalence=0.1)
    assert dies_once.exists()
    assert (tmp_path / "ray.csv").read_bytes() == local.out.read_bytes()
    assert (done.images, done.unreadable, done.resumed, done.workers) == (300, 30, 0, 2)
    assert list(done.nodes.values()) == [300]
    assert {file.name for file in tmp_path.iterdir()} == {"ray.csv", "local.csv", "killed"}


def test_goes_on_where_it_stopped(
    ray_here: Any, served: Path, many: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped after one part, with another one cut; what is whole is not made again."""
    files, out, mark = list_anywhere([many.as_uri()]), tmp_path / "parts", tmp_path / "begun"

    class Stops(PredictFiles):
        def __call__(self, batch: Any) -> Any:
            if mark.exists():
                for _ in range(200):
                    time.sleep(0 if list(out.glob("*.parquet")) else 0.1)
                raise ValueError("many\nlines")
            mark.touch()
            return super().__call__(batch)

    with monkeypatch.context() as patched:
        patched.setattr(flow, "PredictFiles", Stops)
        with pytest.raises(CxrError, match=r"^Ray cannot go on: ValueError: many$"):
            predict_ray(served, files, f"{out}/", RayOptions(workers=1))
    (whole,) = out.glob("*.parquet")
    number = parts.number_of(whole.name) or 0
    (out / name_of((number + 1) % 3)).write_bytes(whole.read_bytes()[:-9])
    written = whole.stat().st_mtime_ns
    done = predict_ray(served, files, f"{out}/", RayOptions(workers=2))
    assert (done.resumed, done.unreadable) == (parts.rows_in(number, 300), 30)
    assert whole.stat().st_mtime_ns == written
    check_rows(read_parts(out), served, many)
    assert predict_ray(served, files, out).resumed == 300


def read_parts(folder: Path) -> list[Row]:
    import pyarrow.parquet

    return pyarrow.parquet.read_table(folder).to_pylist()


def check_rows(rows: list[Row], model: Path, folder: Path, digits: float = 0) -> None:
    """Those of the local engine, but for the paths, which are URIs."""
    expected = predict_files(load_predictor(model), list_anywhere([str(folder)]))
    assert len(rows) == len(expected)
    for row, local in zip(rows, expected, strict=True):
        assert list(row) == list(local)
        assert row["path"] == Path(local["path"]).as_uri()
        for name, value in list(local.items())[1:]:
            near = pytest.approx(value, abs=digits) if type(value) is float else value
            assert row[name] == near


def test_on_gpus_others_decode(
    ray_here: Any,
    served: Path,
    many: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No GPU is here, so it is the flow between the stages that is seen."""

    class LooksHere(PredictPixels):
        def __init__(self, plan: PredictionPlan) -> None:
            super().__init__(replace(plan, gpu=False))

    monkeypatch.setattr(flow, "PredictPixels", LooksHere)
    files = list_anywhere([many.as_uri()])
    rows = list(rows_by_ray(served, files, RayOptions(gpus_per_worker=0.5)))
    check_rows(rows, served, many, digits=1e-5)
    assert "idle" not in capsys.readouterr().err


def test_a_file_that_kills_its_reader_costs_no_other_its_row(
    ray_here: Any, served: Path, films: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    look, deadly = flow._look, str(films[2])

    def dies(plan: PredictionPlan, names: list[str]) -> list[Row]:
        if deadly in names:
            os.kill(os.getpid(), signal.SIGKILL)
        return look(plan, names)

    monkeypatch.setattr(flow, "_look", dies)
    predictor = load_predictor(served)
    plan = PredictionPlan(ray_here.put(served.read_bytes()), None, 64, "squish", "whole", "", "job")
    found = flow.isolate_deadly(
        ray_here, predictor, plan, (0, parts.packed([str(film) for film in films[:4]]))
    )
    rows = parts.read_rows(buffer(found.data))
    assert [row["path"] for row in rows] == [str(film) for film in films[:4]]
    reasons = [row["error"] for row in rows]
    assert reasons[:2] == [None, None] and found.unreadable == 2
    assert reasons[2] == flow.WHY and "not an image" in reasons[3]
    monkeypatch.setattr(flow, "LIMIT", 0)
    with pytest.raises(CxrError, match=r"die of file after file .* --engine local$"):
        flow.isolate_deadly(ray_here, predictor, plan, (0, parts.packed([deadly])))


def buffer(data: bytes) -> Any:
    import pyarrow

    return pyarrow.BufferReader(data)


def test_no_files_need_no_worker(served: Path, tmp_path: Path) -> None:
    done = predict_ray(served, ImageList([]), tmp_path / "none.jsonl")
    assert (done.images, done.workers, done.out) == (0, 0, str(tmp_path / "none.jsonl"))
    assert (tmp_path / "none.jsonl").read_bytes() == b""


def test_tries_are_counted_for_each_part() -> None:
    tries = TryCounter()
    assert [tries.begin(1), tries.begin(1), tries.begin(2)] == [1, 2, 1]
