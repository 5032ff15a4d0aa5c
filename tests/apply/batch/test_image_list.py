from __future__ import annotations

import os
from pathlib import Path

import pytest

from cxr.apply import expand_images
from cxr.apply.batch import ImageList, image_list, list_images
from cxr.errors import DataError, UsageError
from cxr.find import get_image_files


def test_files_and_folders_are_expanded(films: list[Path]) -> None:
    folder = films[0].parents[1]
    assert expand_images([folder]) == films
    assert expand_images([films[3], folder, str(films[0])]) == [films[3], *films, films[0]]


def test_what_is_not_there_is_named(tmp_path: Path, films: list[Path]) -> None:
    with pytest.raises(UsageError, match=r"no file or folder .*gone\.png"):
        expand_images([films[0], tmp_path / "gone.png"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no images under"):
        expand_images([tmp_path / "empty"])


def test_a_list_is_that_of_get_image_files_in_few_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_list, "RUN", 5)
    monkeypatch.setattr(image_list, "BLOCK", 3)
    names = [
        "b/1.png",
        "a/2.PNG",
        "a-b/3.jpg",
        "a.png",
        "a/c/4.png",
        "z.dcm",
        "a/note.txt",
        "é.png",
    ]
    names += [f"many/{i}.png" for i in range(40)]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    expected = get_image_files(tmp_path)
    found = list_images([tmp_path, tmp_path / "a.png"])
    assert list(found) == [*expected, tmp_path / "a.png"] and len(found) == len(expected) + 1
    assert [found[0], found[17], found[-1]] == [expected[0], expected[17], tmp_path / "a.png"]
    assert found[5:30] == expected[5:30] and found[::7] == list(found)[::7]
    assert [list(found.since(n)) for n in (0, 3, 4, 46)] == [list(found)[n:] for n in (0, 3, 4, 46)]
    with pytest.raises(IndexError):
        found[len(found)]


def test_a_folder_of_dicom_without_names_is_listed_too(films: list[Path], tmp_path: Path) -> None:
    content = next(film for film in films if film.suffix == ".dcm").read_bytes()
    for name in ("IM0002", "IM0001.dcm", "sub/IM0003"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    (tmp_path / "README").write_text("no image")
    assert list(list_images([tmp_path])) == get_image_files(tmp_path)
    (tmp_path / "one.png").touch()
    assert list(list_images([tmp_path])) == get_image_files(tmp_path)


def test_a_million_paths_take_a_few_bytes_each() -> None:
    names = (f"archive/patient{i // 3:06}/study{i % 3}/view1_frontal.jpg" for i in range(100_000))
    packed = ImageList(names)
    assert len(packed) == 100_000 and packed[99_999].parent.name == "study0"
    assert sum(map(len, packed._names._blocks)) < 100_000 * 8


def test_another_list_has_another_fingerprint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.png", "b.png"):
        (tmp_path / name).touch()
    one = list_images([tmp_path]).fingerprint
    assert list_images([tmp_path]).fingerprint == one
    others = {list_images([tmp_path / "a.png"]).fingerprint}
    monkeypatch.chdir(tmp_path)
    others.add(list_images(["a.png"]).fingerprint)
    (tmp_path / "c.png").touch()
    others.add(list_images([tmp_path]).fingerprint)
    assert len(others) == 3 and one not in others


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
def test_a_name_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.png"))
    try:
        odd.touch()
    except OSError:
        pytest.skip("this file system has no such names")
    for given in (odd, tmp_path):
        with pytest.raises(DataError, match="is not UTF-8"):
            list_images([given])
