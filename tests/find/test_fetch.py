"""`fetch`: from a name to a whole folder with a receipt, from a local server or a mock Kaggle."""

from __future__ import annotations

import dataclasses
import re
import sys
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from cxr._io import progress_disabled, read_json, sha256_file
from cxr.errors import DownloadError, StorageError, UnknownName, UsageError
from cxr.find import fetch as module
from cxr.find.fetch import fetch, receipt
from cxr.find.registry import DATA_SETS, KERMANY, DataSet, get_data_set

IMAGES = {
    "train/NORMAL/IM-0001.jpeg": b"one",
    "train/PNEUMONIA/person1_virus_1.jpeg": b"two",
    "test/NORMAL/IM-0002.jpeg": b"three",
}
JUNK = {
    "train/.DS_Store": b"x",
    "__MACOSX/train/NORMAL/._IM-0001.jpeg": b"x",
    "chest_xray/train/NORMAL/IM-0001.jpeg": b"one",  # Kaggle's copy has a second one inside
    "licence.txt": b"x",
}


class Quiet(SimpleHTTPRequestHandler):
    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        super().do_GET()

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def asked() -> list[str]:
    """The paths that the server was asked for."""
    return []


@pytest.fixture
def site(tmp_path: Path, asked: list[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a server that offers data.zip."""
    folder = tmp_path / "site"
    folder.mkdir()
    write_zip(folder / "data.zip")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr("cxr.find.download.BACKOFF_S", 0.0)
    handler = partial(type("Handler", (Quiet,), {"asked": asked}), directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server, progress_disabled():
        server.daemon_threads = False
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.fixture
def toy(site: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DataSet:
    archive = tmp_path / "site" / "data.zip"
    return register(
        monkeypatch,
        url=f"{site}/data.zip",
        size=archive.stat().st_size,
        sha256=sha256_file(archive),
    )


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that a pretended kagglehub answers with."""
    folder = tmp_path / "kaggle-cache"
    for name, content in (IMAGES | JUNK).items():
        file = folder / "chest_xray" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    kagglehub = ModuleType("kagglehub")
    kagglehub.dataset_download = lambda handle: str(folder)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "kagglehub", kagglehub)
    monkeypatch.setenv("KAGGLE_API_TOKEN", "secret")
    return folder


def register(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> DataSet:
    data_set = dataclasses.replace(KERMANY, name="toy", images=len(IMAGES), **changes)
    monkeypatch.setitem(DATA_SETS, "toy", data_set)
    return data_set


def write_zip(path: Path, root: str = "chest_xray/") -> None:
    with zipfile.ZipFile(path, "w") as zipped:
        for name, content in (IMAGES | JUNK).items():
            zipped.writestr(root + name, content)


def contents(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
    assert found.pop("SOURCE.json")
    return found


def hidden(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


def test_the_registry() -> None:
    kermany = get_data_set("kermany")
    assert kermany.kaggle == "paultimothymooney/chest-xray-pneumonia"
    assert kermany.url is not None
    assert kermany.url.startswith("https://data.mendeley.com/")
    assert re.fullmatch("[0-9a-f]{64}", kermany.sha256 or "")
    assert all(name == data_set.name for name, data_set in DATA_SETS.items())
    with pytest.raises(UnknownName, match="kermany"):
        get_data_set("kermani")
    with pytest.raises(dataclasses.FrozenInstanceError):
        kermany.name = "x"  # type: ignore[misc]


def test_direct(toy: DataSet, tmp_path: Path) -> None:
    out = tmp_path / "data" / "toy"
    assert fetch("toy", out, source="direct") == out
    assert contents(out) == IMAGES
    assert not hidden(out.parent)
    found = read_json(out / "SOURCE.json")
    assert found["source"] == toy.url
    assert found["sha256"] == toy.sha256
    assert found["verified"] is True
    assert found["images"] == 3
    assert found["license"] == "CC-BY-4.0"
    assert "Kermany" in found["citation"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", found["fetched"])
    assert receipt(out) == found


def test_a_second_time_says_so_and_asks_for_nothing(
    toy: DataSet, tmp_path: Path, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = fetch("toy", tmp_path / "toy", source="direct")
    said: list[str] = []
    monkeypatch.setattr(module, "say", said.append)
    assert fetch("toy", tmp_path / "toy", source="direct") == out
    assert fetch("toy", tmp_path / "toy", sha256=toy.sha256) == out
    assert "holds toy already (3 images" in said[0]
    assert len(asked) == 1


def test_images_lost_since_are_noticed(toy: DataSet, tmp_path: Path) -> None:
    out = fetch("toy", tmp_path / "toy", source="direct")
    (out / "train/NORMAL/IM-0001.jpeg").unlink()
    with pytest.raises(UsageError, match="2 of the 3 images"):
        fetch("toy", out, source="direct")


def test_another_checksum_is_another_data_set(toy: DataSet, tmp_path: Path) -> None:
    out = fetch("toy", tmp_path / "toy", source="direct")
    with pytest.raises(UsageError, match="name a new folder"):
        fetch("toy", out, sha256="0" * 64)


def test_nothing_is_asked_for_when_the_call_is_wrong(
    toy: DataSet, tmp_path: Path, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    wrong: list[tuple[Path | str, dict[str, Any], str]] = [
        (tmp_path / "full", {"source": "direct"}, "not empty"),
        (tmp_path / "full" / "mine.txt", {"source": "direct"}, "not a folder"),
        (".", {"source": "direct"}, "the folder that you are in"),
        ("new", {"source": "ftp"}, "choose auto, kaggle or direct"),
        ("new", {"source": "kaggle", "sha256": toy.sha256}, "leave them out"),
        ("new", {"url": "ftp://127.0.0.1/x"}, "http:// or https://"),
        ("new", {"sha256": "abc"}, "64 hexadecimal digits"),
    ]
    for out, call, match in wrong:
        with pytest.raises(UsageError, match=match):
            fetch("toy", out, **call)
    register(monkeypatch, url=None, kaggle=None)
    with pytest.raises(UsageError, match="--url"):
        fetch("toy", "new")
    with pytest.raises(UsageError, match="not on Kaggle"):
        fetch("toy", "new", source="kaggle")
    assert not asked
    assert not hidden(tmp_path) and not list((tmp_path / "here").iterdir())


def test_into_an_empty_folder_and_through_a_link(toy: DataSet, tmp_path: Path) -> None:
    (tmp_path / "big disk").mkdir()
    link = tmp_path / "link"
    try:
        link.symlink_to(tmp_path / "big disk", target_is_directory=True)
    except OSError:
        pytest.skip("this system lets us make no links")
    assert fetch("toy", link, source="direct") == (tmp_path / "big disk").resolve()
    assert contents(link) == IMAGES


def test_an_address_of_ones_own(
    toy: DataSet, site: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(module, "say", said.append)
    # Somebody's own zip need not hold what the registered one does.
    monkeypatch.setitem(DATA_SETS, "toy", dataclasses.replace(toy, images=99, size=99))
    mirror = fetch("toy", tmp_path / "mirror", url=f"{site}/data.zip?key=secret")
    assert receipt(mirror)["verified"] is True  # type: ignore[index]
    assert receipt(mirror)["source"] == f"{site}/data.zip"  # type: ignore[index]
    assert not said
    write_zip(tmp_path / "site" / "other.zip", root="")
    other = fetch("toy", tmp_path / "other", url=f"{site}/other.zip")
    got = sha256_file(tmp_path / "site" / "other.zip")
    assert [line for line in said if got in line and "could not be verified" in line]
    assert receipt(other)["verified"] is False  # type: ignore[index]
    again = fetch("toy", tmp_path / "again", url=f"{site}/other.zip", sha256=got)
    assert receipt(again)["verified"] is True  # type: ignore[index]


def test_no_registered_checksum_says_what_it_got(
    toy: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(monkeypatch, url=toy.url, sha256=None, size=None)
    said: list[str] = []
    monkeypatch.setattr(module, "say", said.append)
    out = fetch("toy", tmp_path / "toy", source="direct")
    assert f"sha256 {toy.sha256}, which could not be verified" in said[0]
    assert receipt(out)["verified"] is False  # type: ignore[index]


def test_a_wrong_checksum_leaves_nothing(toy: DataSet, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="wrong checksum"):
        fetch("toy", tmp_path / "toy", sha256="0" * 64)
    assert not (tmp_path / "toy").exists()
    assert not hidden(tmp_path)


def test_what_is_downloaded_stays_when_unpacking_fails(
    toy: DataSet, tmp_path: Path, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object) -> None:
        raise StorageError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(module, "unzip", full)
        with pytest.raises(StorageError):
            fetch("toy", tmp_path / "toy", source="direct")
    assert [path.name for path in (tmp_path / ".toy.fetch").iterdir()] == ["toy.zip"]
    assert contents(fetch("toy", tmp_path / "toy", source="direct")) == IMAGES
    assert len(asked) == 1
    assert not hidden(tmp_path)


def test_what_is_no_data_set_is_not_kept(
    toy: DataSet, site: str, tmp_path: Path, asked: list[str]
) -> None:
    (tmp_path / "site" / "page.html").write_text("please log in")
    with zipfile.ZipFile(tmp_path / "site" / "cats.zip", "w") as zipped:
        zipped.writestr("cats/1.jpeg", b"cat")
    for name, match in (("page.html", "not a zip"), ("cats.zip", "no folder train/")):
        with pytest.raises(DownloadError, match=match):
            fetch("toy", tmp_path / "toy", url=f"{site}/{name}")
        assert not (tmp_path / "toy").exists()
        assert not hidden(tmp_path)


def test_images_are_counted(
    toy: DataSet, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(DATA_SETS, "toy", dataclasses.replace(toy, images=5856))
    with pytest.raises(DownloadError, match="toy has 5,856 images, but 3 came from http://127"):
        fetch("toy", tmp_path / "toy", source="direct")
    with pytest.raises(DownloadError, match="but 3 came from kagglehub's copy; delete"):
        fetch("toy", tmp_path / "toy")
    assert not (tmp_path / "toy").exists()
    assert not hidden(tmp_path)


def test_kaggle(toy: DataSet, cache: Path, asked: list[str], tmp_path: Path) -> None:
    out = fetch("toy", tmp_path / "toy")
    assert contents(out) == IMAGES
    assert receipt(out)["source"] == f"kaggle:{toy.kaggle}"  # type: ignore[index]
    assert receipt(out)["sha256"] is None  # type: ignore[index]
    assert (cache / "chest_xray/train/NORMAL/IM-0001.jpeg").read_bytes() == b"one"
    assert not asked
    assert not hidden(tmp_path)


def test_kaggle_without_a_login_leaves_nothing(
    toy: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("KAGGLE_API_TOKEN", "KAGGLE_USERNAME", "KAGGLE_KEY", "KAGGLE_KERNEL_RUN_TYPE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    with pytest.raises(UsageError, match="cxr fetch toy OUT --direct"):
        fetch("toy", tmp_path / "toy")
    assert not hidden(tmp_path)


def test_links_in_kaggles_folder_are_refused(toy: DataSet, cache: Path, tmp_path: Path) -> None:
    (tmp_path / "private.jpeg").write_bytes(b"private")
    try:
        (cache / "chest_xray/train/NORMAL/x.jpeg").symlink_to(tmp_path / "private.jpeg")
    except OSError:
        pytest.skip("this system lets us make no links")
    with pytest.raises(DownloadError, match="is a link"):
        fetch("toy", tmp_path / "toy")
    assert not (tmp_path / "toy").exists()


def test_a_read_only_cache_makes_no_read_only_copy(
    toy: DataSet, cache: Path, tmp_path: Path
) -> None:
    file = cache / "chest_xray/train/NORMAL/IM-0001.jpeg"
    file.chmod(0o444)
    out = fetch("toy", tmp_path / "toy")
    assert (out / "train/NORMAL/IM-0001.jpeg").stat().st_mode & 0o200


def test_sizes_of_the_registry_are_enforced(
    toy: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(DATA_SETS, "toy", dataclasses.replace(toy, size=1))
    with pytest.raises(DownloadError, match="where 1 are expected"):
        fetch("toy", tmp_path / "toy", source="direct")
    # With a checksum of one's own the registered size no longer counts.
    assert contents(fetch("toy", tmp_path / "toy", sha256=toy.sha256)) == IMAGES


def test_a_leftover_of_a_killed_run_does_not_matter(toy: DataSet, tmp_path: Path) -> None:
    staging = tmp_path / ".toy.fetch" / "staging"
    (staging / "whole" / "train").mkdir(parents=True)
    (staging / "whole" / "train" / "old.jpeg").write_bytes(b"old")
    (staging / "unpacked").mkdir()
    assert contents(fetch("toy", tmp_path / "toy", source="direct")) == IMAGES
