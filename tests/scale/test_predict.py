"""Prediction through Ray: the same rows as the local engine, whatever the workers do."""

from __future__ import annotations

import socket
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import cxr.scale.cluster as cluster
import cxr.scale.predict as scale
from cxr.apply import load_learner, predict_files
from cxr.errors import BundleError, CxrError, ImageError, UsageError
from cxr.scale import predict_ray


class RayTaskError(Exception):
    def __init__(self, cause: Exception) -> None:
        super().__init__("a traceback\nof many lines")
        self.cause = cause


class RayActorError(Exception):
    pass


class FakeRay:
    """The part of Ray that is used, in this process: a call runs when its result is asked for."""

    exceptions = SimpleNamespace(RayTaskError=RayTaskError, RayActorError=RayActorError)

    def __init__(self) -> None:
        self.calls: Counter[int] = Counter()
        self.waiting = self.most_waiting = 0
        self.init_options: dict[str, Any] = {}
        self.open = False
        self.dies = False

    def is_initialized(self) -> bool:
        return self.open

    def init(self, **options: Any) -> None:
        if options["address"] == "auto":
            raise ConnectionError("none found")
        self.init_options, self.open = options, True

    def shutdown(self) -> None:
        self.open = False

    def cluster_resources(self) -> dict[str, float]:
        return {"CPU": 3.0}

    def put(self, value: object) -> object:
        return value

    def remote(self, **options: Any) -> Any:
        return lambda kind: SimpleNamespace(remote=lambda: self._actor(kind()))

    def _actor(self, worker: Any) -> Any:
        def submit(model: bytes, files: list[str]) -> Any:
            self.waiting += 1
            self.most_waiting = max(self.most_waiting, self.waiting)
            self.calls[id(worker)] += 1
            return lambda: worker.rows(model, files)

        return SimpleNamespace(rows=SimpleNamespace(remote=submit))

    def get(self, call: Any) -> Any:
        self.waiting -= 1
        if self.dies:
            raise RayActorError("out of memory")
        try:
            return call()
        except Exception as error:
            raise RayTaskError(error) from error


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeRay:
    found = FakeRay()
    monkeypatch.setattr(cluster, "import_ray", lambda: found)
    monkeypatch.setattr(scale, "CHUNK", 2)
    return found


def check_same(rows: list[dict[str, Any]], model: Path, films: list[Path]) -> None:
    """Equal but for the last digits: other batches, other order of summing."""
    expected = predict_files(load_learner(model), films)
    assert len(rows) == len(expected)
    for row, local in zip(rows, expected, strict=True):
        assert list(row) == list(local)
        for name, value in local.items():
            assert row[name] == (pytest.approx(value, abs=1e-6) if type(value) is float else value)


def test_rows_are_those_of_the_local_engine(
    fake: FakeRay, tiny_model: Path, films: list[Path]
) -> None:
    rows = predict_ray(tiny_model, films)
    check_same(rows, tiny_model, films)
    assert [row["error"] is not None for row in rows] == [i == 3 for i in range(10)]
    assert sorted(fake.calls.values()) == [1, 2, 2], "five chunks over three processors"


def test_only_a_few_chunks_are_under_way(
    fake: FakeRay, tiny_model: Path, films: list[Path]
) -> None:
    rows = predict_ray(tiny_model, films * 5, workers=2)
    assert [row["path"] for row in rows] == [str(film) for film in films * 5]
    assert fake.most_waiting == 5 and list(fake.calls.values()) == [13, 12]


def test_paths_stay_as_they_were_given(
    fake: FakeRay, tiny_model: Path, films: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(films[0].parent)
    asked: list[Path] = []
    predict = scale.predict_rows
    monkeypatch.setattr(
        scale, "predict_rows", lambda model, files: asked.extend(files) or predict(model, files)
    )
    (row,) = predict_ray(tiny_model, [Path(films[0].name)])
    assert row["path"] == films[0].name and row["error"] is None
    assert asked == [films[0]]


def test_no_files_need_no_cluster(fake: FakeRay, tiny_model: Path) -> None:
    assert predict_ray(tiny_model, []) == [] and not fake.init_options


def test_ray_is_closed_only_by_who_opened_it(
    fake: FakeRay, tiny_model: Path, films: list[Path]
) -> None:
    predict_ray(tiny_model, films[:1])
    assert not fake.open and fake.init_options["include_dashboard"] is False
    fake.open = True
    predict_ray(tiny_model, films[:1])
    assert fake.open


def test_no_cluster_at_the_address(
    fake: FakeRay, tiny_model: Path, films: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(UsageError, match=rf"Ray cluster at {address} .* ray start --head"):
        predict_ray(tiny_model, films, address=address)
    assert not fake.init_options, "Ray itself would try for minutes"
    monkeypatch.setenv("RAY_ADDRESS", "auto")
    with pytest.raises(UsageError, match="Ray cluster at auto"):
        predict_ray(tiny_model, films)


def test_a_refused_model_is_refused_before_ray_starts(
    fake: FakeRay, tmp_path: Path, films: list[Path]
) -> None:
    (tmp_path / "model.cxr").write_bytes(b"no zip")
    with pytest.raises(BundleError):
        predict_ray(tmp_path / "model.cxr", films)
    assert not fake.init_options


def test_errors_of_workers_are_one_line(
    fake: FakeRay, tiny_model: Path, films: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(predictor: object, files: list[Path]) -> None:
        raise ImageError("x", "why")

    monkeypatch.setattr(scale, "predict_rows", fails)
    with pytest.raises(ImageError, match=r"^x: why$"):
        predict_ray(tiny_model, films)
    fake.dies = True
    with pytest.raises(CxrError, match=r"Ray workers died 4 times.*--engine local$"):
        predict_ray(tiny_model, films)
    assert not fake.open


def test_without_ray_it_says_what_to_install(
    tiny_model: Path, films: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match=r'pip install "cxr\[ray\]"$'):
        predict_ray(tiny_model, films)


@pytest.mark.filterwarnings("default")  # Ray's own
def test_on_a_real_ray(
    tiny_model: Path, films: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    ray = pytest.importorskip("ray", reason='needs Ray: pip install "cxr[ray]"')
    monkeypatch.setattr(scale, "CHUNK", 2)
    monkeypatch.chdir(films[0].parent)
    given = [Path(film.name) if film.parent == Path.cwd() else film for film in films]
    check_same(predict_ray(tiny_model, given, workers=2), tiny_model, given)
    assert not ray.is_initialized()
