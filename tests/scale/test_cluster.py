"""A connection to Ray: to which, and who closes it."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

import cxr.scale.cluster as cluster
from cxr.errors import BundleError, UsageError
from cxr.scale import RayOptions, list_anywhere, predict_ray
from cxr.scale.predict.run import _workers


class FakeRay:
    """What is used of Ray to connect."""

    def __init__(self) -> None:
        self.init_options: dict[str, Any] = {}
        self.open = False

    def is_initialized(self) -> bool:
        return self.open

    def init(self, **options: Any) -> None:
        os.write(2, b"noise")
        if options["address"] == "auto":
            raise ConnectionError("none found")
        self.init_options, self.open = options, True

    def shutdown(self) -> None:
        self.open = False

    def cluster_resources(self) -> dict[str, float]:
        return {"CPU": 3.0, "GPU": 2.0}


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeRay:
    found = FakeRay()
    monkeypatch.setattr(cluster, "import_ray", lambda: found)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    return found


def test_ray_is_closed_only_by_who_opened_it(
    fake: FakeRay, capfd: pytest.CaptureFixture[str]
) -> None:
    with cluster.connected() as ray:
        assert ray is fake and fake.open
        sys.stdout.write("a worker died\n")
    assert not fake.open and fake.init_options["include_dashboard"] is False
    assert fake.init_options["address"] == "local", "never one that happens to run here"
    fake.open = True
    with cluster.connected():
        pass
    said = capfd.readouterr()
    assert fake.open and (said.out, said.err) == ("", "a worker died\n")


def test_no_cluster_at_the_address(fake: FakeRay, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    said = rf"Ray cluster at {address} .* ray start --head"
    with pytest.raises(UsageError, match=said), cluster.connected(address):
        pass
    assert not fake.init_options, "Ray itself would try for minutes"
    monkeypatch.setenv("RAY_ADDRESS", "auto")
    with pytest.raises(UsageError, match="Ray cluster at auto"), cluster.connected():
        pass


def test_as_many_workers_as_there_is_room_and_work_for(
    fake: FakeRay, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = [
        (RayOptions(), 9),
        (RayOptions(), 2),
        (RayOptions(workers=5), 9),
        (RayOptions(None, 0.5), 9),
    ]
    assert [_workers(fake, *one).n for one in asked] == [3, 2, 5, 4]
    assert capsys.readouterr().err.count("--gpus-per-worker 1 uses them") == 3
    fake.cluster_resources = lambda: {"CPU": 3.0}  # type: ignore[method-assign]
    with pytest.raises(UsageError, match=r"has no GPU now; .* how many --workers"):
        _workers(fake, RayOptions(gpus_per_worker=1), 9)
    assert _workers(fake, RayOptions(workers=2, gpus_per_worker=1), 9).gpus == 1


def test_what_is_refused_is_refused_before_ray_starts(
    tiny_model: Path, films: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = list_anywhere([str(films[0])])
    monkeypatch.setattr("cxr.scale.predict.run.import_ray", lambda: None)
    (tmp_path / "model.cxr").write_bytes(b"no zip")
    with pytest.raises(BundleError):
        predict_ray(tmp_path / "model.cxr", files, tmp_path / "rows.csv")
    with pytest.raises(UsageError, match=r"must end in"):
        predict_ray(tiny_model, files, tmp_path / "rows.xlsx")
    with pytest.raises(UsageError, match="prevalence 2"):
        predict_ray(tiny_model, files, tmp_path / "rows.csv", RayOptions(prevalence=2))
    assert [file.name for file in tmp_path.iterdir()] == ["model.cxr"]


def test_without_ray_it_says_what_to_install(
    tiny_model: Path, films: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match=r'pip install "cxr\[ray\]"$'):
        predict_ray(tiny_model, list_anywhere([str(films[0])]), tmp_path / "rows.csv")
