from __future__ import annotations

import sys

import pytest

from cxr.errors import ManifestError, UsageError
from cxr.find.layouts.locate import locate


def test_relative_paths_in_any_spelling(touch):
    root = touch("a/1.png", "b/2.png")
    assert locate(["a/1.png", r"b\2.png", "./a/1.png"], root, "t.csv") == [
        "a/1.png",
        "b/2.png",
        "a/1.png",
    ]


def test_leading_folders_that_all_share_may_be_missing(touch):
    root = touch("train/p1/1.jpg", "train/p2/1.jpg")
    names = ["CheXpert-v1.0-small/train/p1/1.jpg", "CheXpert-v1.0-small/train/p2/1.jpg"]
    assert locate(names, root, "t.csv") == ["train/p1/1.jpg", "train/p2/1.jpg"]
    assert locate([str(root / "train/p1/1.jpg")], root, "t.csv") == ["train/p1/1.jpg"]


def test_bare_names_are_looked_up_in_the_tree(touch):
    root = touch("images_001/images/1.png", "images_002/images/2.dcm")
    assert locate(["1.png", "2"], root, "t.csv") == [
        "images_001/images/1.png",
        "images_002/images/2.dcm",
    ]


def test_a_name_with_a_folder_is_not_looked_up_elsewhere(touch):
    root = touch("B/1.png", "A/2.png")
    with pytest.raises(ManifestError, match=r"1 of 2 images .* A/1\.png;"):
        locate(["A/1.png", "A/2.png"], root, "t.csv")


def test_a_name_that_is_there_twice_is_not_guessed(touch):
    with pytest.raises(ManifestError, match="several times"):
        locate(["1.png"], touch("a/1.png", "b/1.png"), "t.csv")


def test_missing_files_are_counted_and_three_are_named(touch):
    names = ["a.png", "w.png", "x.png", "y.png", "z.png"]
    with pytest.raises(ManifestError, match=r"4 of 5 images .* w\.png, x\.png, y\.png; put"):
        locate(names, touch("a.png"), "t.csv")


def test_files_without_a_known_extension_count_when_named(touch):
    assert locate(["scan/IM1"], touch("scan/IM1", "a.png"), "t.csv") == ["scan/IM1"]


@pytest.mark.parametrize("name", ["../secret.png", "sub/../../secret.png", "/etc/hostname"])
def test_nothing_outside_the_root_is_named(touch, name):
    root = touch("secret.png", "data/a.png") / "data"
    with pytest.raises(ManifestError, match="are not under"):
        locate([name], root, "t.csv")


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege on Windows")
def test_a_link_out_of_the_root_is_not_followed(touch):
    root = touch("secret.png", "data/a.png") / "data"
    (root / "link.png").symlink_to(root.parent / "secret.png")
    with pytest.raises(ManifestError, match=r"link\.png"):
        locate(["link.png"], root, "t.csv")


def test_missing_root(touch):
    with pytest.raises(UsageError, match=r"there is no .*gone"):
        locate(["a.png"], touch("a.png") / "gone", "t.csv")
