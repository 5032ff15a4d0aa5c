from __future__ import annotations

import os
import pickle
import sys
from pathlib import Path, PurePosixPath

import pytest

from cxr.config import ManifestOptions
from cxr.errors import DataError, UsageError
from cxr.find import read_manifest
from cxr.find.files import Files, get_image_files, image_names, parent_label

links = pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege on Windows")


def names(files: Files, root: Path) -> list[str]:
    return [file.relative_to(root).as_posix() for file in files]


def test_sorted_by_relative_path_at_any_depth(touch):
    root = touch("b/2.png", "b/10.JPG", "a.dcm", "B/x.jpeg", "b/c/d.tiff", "notes.txt")
    assert names(get_image_files(root), root) == [
        "B/x.jpeg",
        "a.dcm",
        "b/10.JPG",
        "b/2.png",
        "b/c/d.tiff",
    ]


def test_hidden_and_macosx_are_skipped(touch):
    root = touch("a.png", ".b.png", ".git/c.png", "__MACOSX/d.png", "e/__MACOSX/._f.png")
    assert names(get_image_files(root), root) == ["a.png"]


def test_recurse_off_and_folders(touch):
    root = touch("top.png", "train/a.png", "train/deep/b.png", "test/train/c.png")
    assert names(get_image_files(root, recurse=False), root) == ["top.png"]
    assert names(get_image_files(root, folders="train"), root) == [
        "train/a.png",
        "train/deep/b.png",
    ]
    assert names(get_image_files(root, folders=[".", "test"]), root) == [
        "test/train/c.png",
        "top.png",
    ]
    with pytest.raises(UsageError, match=r"no .*trian; .* holds train"):
        get_image_files(root, folders=["trian"])


def test_same_files_as_the_standard_library(shared_data):
    root = shared_data / "kermany224"
    expected = sorted(
        PurePosixPath(Path(folder, name).relative_to(root)).as_posix()
        for folder, _, files in os.walk(root)
        for name in files
    )
    assert names(get_image_files(root), root) == expected
    assert len(expected) == 5232


@links
def test_links_never_lead_out_or_round_in_circles(touch, tmp_path_factory, capsys):
    root = touch("a/1.png", "b/2.png")
    outside = tmp_path_factory.mktemp("outside")
    (outside / "secret.png").write_text("x")
    (root / "a/out.png").symlink_to(outside / "secret.png")
    (root / "a/folder").symlink_to(outside, target_is_directory=True)
    (root / "a/loop").symlink_to(root, target_is_directory=True)
    (root / "a/dangling.png").symlink_to(root / "gone.png")
    (root / "a/round.png").symlink_to(root / "a/round.png")
    (root / "b/inside.png").symlink_to(root / "a/1.png")
    assert names(get_image_files(root), root) == ["a/1.png", "b/2.png", "b/inside.png"]
    assert "skipped 5 links" in capsys.readouterr().err


@links
def test_the_folder_itself_may_be_a_link(touch, tmp_path_factory):
    root = touch("a/1.png")
    link = tmp_path_factory.mktemp("elsewhere") / "link"
    link.symlink_to(root, target_is_directory=True)
    assert names(get_image_files(link), link) == ["a/1.png"]


def test_dicom_without_extension_counts_only_where_there_is_nothing_else(tmp_path):
    mark = bytes(128) + b"DICM"
    for name in ("IM0001", "1.2.840.5", "DICOMDIR"):
        (tmp_path / name).write_bytes(mark)
    (tmp_path / "README").write_text("no image")
    assert names(get_image_files(tmp_path), tmp_path) == ["1.2.840.5", "IM0001"]
    (tmp_path / "a.dcm").write_bytes(mark)
    assert names(get_image_files(tmp_path), tmp_path) == ["1.2.840.5", "IM0001", "a.dcm"]
    (tmp_path / "a.png").write_text("x")
    assert names(get_image_files(tmp_path), tmp_path) == ["a.dcm", "a.png"]


def test_missing_folder_names_its_neighbours(touch):
    root = touch("chest_xray/a.png", "other/b.png")
    with pytest.raises(UsageError, match=r"chest_xrays; .* holds chest_xray$"):
        get_image_files(root / "chest_xrays")
    with pytest.raises(UsageError, match="deeper"):
        get_image_files(root / "gone" / "deeper")
    with pytest.raises(UsageError, match=r"a\.png is a file"):
        get_image_files(root / "chest_xray" / "a.png")


def test_no_images(touch):
    with pytest.raises(DataError, match=r"no images under .*; an image ends in one of .*\.png"):
        get_image_files(touch("a.txt", "b/c.csv"))


def test_a_closed_folder_is_an_error(touch, monkeypatch):
    root = touch("a/1.png", "closed/2.png")
    scandir = os.scandir

    def refusing(path):
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    with pytest.raises(DataError, match=r"cannot list .*closed \(Permission denied\)"):
        get_image_files(root)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux allows such a file name")
def test_a_file_name_that_is_not_utf8(touch):
    root = touch("A/1.png")
    (root / "A" / os.fsdecode(b"\xff.png")).write_bytes(b"x")
    with pytest.raises(DataError, match="is not UTF-8; rename the file"):
        get_image_files(root)


def test_the_list_says_how_many(touch):
    files = get_image_files(touch(*(f"{index:02}.png" for index in range(12))))
    assert repr(files).startswith("(#12) [")
    assert repr(files).endswith("...]")
    assert repr(files[:2]) == f"(#2) [{files[0]!r},{files[1]!r}]"
    assert isinstance(files[0], Path)
    assert pickle.loads(pickle.dumps(files)) == files


def test_parent_label():
    assert parent_label(Path("data/NORMAL/a.png")) == "NORMAL"
    assert parent_label("data/PNEUMONIA/a.png") == "PNEUMONIA"


@pytest.mark.skipif(os.name == "nt", reason="making links needs rights there")
def test_links_are_followed_where_asked_and_nothing_is_counted_twice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store, root = tmp_path / "store", tmp_path / "root"
    for folder in (store / "NORMAL", root / "PNEUMONIA"):
        folder.mkdir(parents=True)
        (folder / "a.png").touch()
    (store / "b.png").touch()
    (root / "NORMAL").symlink_to(store / "NORMAL")
    (root / "PNEUMONIA" / "b.png").symlink_to(store / "b.png")
    (root / "again").symlink_to(root / "PNEUMONIA")
    (root / "loop").symlink_to(root)
    (root / "all").symlink_to(tmp_path)
    assert image_names(root) == ["PNEUMONIA/a.png"]
    assert "skipped 5 links" in capsys.readouterr().err
    found = ["NORMAL/a.png", "PNEUMONIA/a.png", "PNEUMONIA/b.png"]
    assert image_names(root, follow_links=True) == found
    assert "skipped 3 links" in capsys.readouterr().err
    manifest = read_manifest(root, ManifestOptions(follow_links=True))
    assert manifest.table["path"].tolist() == found
