"""Names in object storage: listed in the order of the local engine, read, or refused in a line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import cxr.scale.predict.stages as stages
import cxr.scale.predict.storage as storage
from cxr.apply.batch import list_images
from cxr.errors import CxrError, DataError, ImageError, UsageError
from cxr.scale import list_anywhere
from cxr.scale.predict.stages import PredictionPlan, load_images
from cxr.scale.predict.storage import Unreachable, open_uri, read_object

NAMES = (
    "b/2.png",
    "b/1.png",
    "b-c/1.png",
    "a b.png",
    "b.png",
    "ü%20#?.png",
    "note.txt",
    ".x/1.png",
)
PLAN = PredictionPlan(None, None, 32, "squish", "whole", "", "job")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in NAMES:
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        Image.fromarray(np.full((20, 20), len(name), np.uint8)).save(file, "png")
    return tmp_path


@pytest.mark.skipif("sys.platform == 'win32'", reason="Windows allows no ? in a name")
def test_the_order_is_that_of_local_folders(folder: Path) -> None:
    uri = f"file://{folder}"
    found = [*list_anywhere([uri]).names()]
    assert found == [f"file://{path}" for path in list_images([folder])] and len(found) == 6
    both = list_anywhere([f"{uri}/b/", str(folder / "b.png"), f"{uri}/b.png"])
    names = ["file://{}/b/1.png", "file://{}/b/2.png", "{}/b.png", "file://{}/b.png"]
    assert [*both.names()] == [name.format(folder) for name in names]


def test_a_list_is_known_again_from_anywhere(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = list_anywhere([folder.as_uri()])
    monkeypatch.chdir(folder / "b")
    assert list_anywhere([folder.as_uri()]).fingerprint == first.fingerprint
    assert list_anywhere([(folder / "b").as_uri()]).fingerprint != first.fingerprint


def test_what_cannot_be_listed(folder: Path) -> None:
    (folder / "none").mkdir()
    with pytest.raises(UsageError, match=r"nothing at file://.*/gone; give images"):
        list_anywhere([f"{folder.as_uri()}/gone"])
    with pytest.raises(DataError, match=r"no images under file://"):
        list_anywhere([f"{folder.as_uri()}/none"])
    with pytest.raises(UsageError, match=r"cannot open nosuch://bucket/ \(.*\); check its name"):
        list_anywhere(["nosuch://bucket/images"])
    with pytest.raises(UsageError, match=r"s3://…@bucket holds a login") as caught:
        list_anywhere(["s3://key:secret@bucket/images"])
    assert "secret" not in str(caught.value)


def test_a_key_is_taken_as_it_is(folder: Path) -> None:
    assert open_uri(f"file://{folder}/ü%20#?.png")[1].endswith("ü%20#?.png")


def test_pixels_are_those_of_the_file(folder: Path) -> None:
    names = [f"{folder.as_uri()}/{name}" for name in ("b/1.png", "b/gone.png", "note.txt")]
    found = [film for _, film in load_images(PLAN, names)]
    assert np.array_equal(found[0][0], np.full((32, 32), 7, np.uint8))
    assert isinstance(found[1], ImageError) and "cannot be read" in found[1].reason
    assert np.array_equal(found[2][0], np.full((32, 32), 8, np.uint8)), "told from the content"


class Broken:
    """Storage that fails for so many calls."""

    def __init__(self, fails: int, data: bytes) -> None:
        self.fails, self.data = fails, data

    def open_input_stream(self, path: str) -> Any:
        from pyarrow import BufferReader

        self.fails -= 1
        if self.fails >= 0:
            raise OSError("no route\nto host")
        return BufferReader(self.data)


@pytest.mark.parametrize("fails", [0, 2, 3])
def test_reading_is_tried_again(fails: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "WAIT_S", 0)
    monkeypatch.setattr(storage, "open_uri", lambda uri: (system, uri))
    system = Broken(fails, b"data")
    if fails < storage.TRIES:
        assert read_object("s3://b/x") == b"data"
    else:
        with pytest.raises(Unreachable, match=r"cannot be read \(no route to host\)"):
            read_object("s3://b/x")


def test_storage_that_gives_nothing_ends_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else an archive would be written down as damaged because a cable was out."""

    def lost(name: str) -> bytes:
        raise Unreachable(name, "cannot be read (no route)")

    monkeypatch.setattr(stages, "read_object", lost)
    with pytest.raises(CxrError, match=r"^s3://b/2: cannot be read .*nor any of the 2 files"):
        list(load_images(PLAN, ["s3://b/0", "s3://b/1", "s3://b/2"]))
    ((_, film),) = load_images(PLAN, ["s3://b/0"])
    assert isinstance(film, ImageError)
