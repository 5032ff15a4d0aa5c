from __future__ import annotations

from cxr.config import ManifestOptions
from cxr.find.layouts import classes


def rows(root):
    table = classes.read(root, ManifestOptions()).table
    return dict(zip(table["path"], table["label"], strict=True))


def test_the_folder_is_the_class(touch):
    root = touch("NORMAL/a.png", "PNEUMONIA/b.png")
    assert rows(root) == {"NORMAL/a.png": "NORMAL", "PNEUMONIA/b.png": "PNEUMONIA"}


def test_folders_inside_a_class_belong_to_it(touch):
    root = touch("NORMAL/p1/a.dcm", "NORMAL/p2/b.dcm", "PNEUMONIA/c.dcm")
    assert set(rows(root).values()) == {"NORMAL", "PNEUMONIA"}


def test_wrapping_folders_are_no_class(touch):
    root = touch("set/images/NORMAL/a.png", "set/images/PNEUMONIA/b.png")
    assert set(rows(root).values()) == {"NORMAL", "PNEUMONIA"}


def test_one_class_is_not_a_wrapping_folder(touch):
    assert rows(touch("NORMAL/a.png", "NORMAL/b.png")) == {
        "NORMAL/a.png": "NORMAL",
        "NORMAL/b.png": "NORMAL",
    }


def test_images_beside_class_folders_are_left_out_with_a_line(touch, capsys):
    root = touch("logo.png", "NORMAL/a.png", "PNEUMONIA/b.png")
    assert "logo.png" not in rows(root)
    assert "left out 1 images that lie in no class folder" in capsys.readouterr().err


def test_no_folders_no_labels(touch):
    assert rows(touch("a.png", "b.png")) == {"a.png": None, "b.png": None}


def test_a_copy_of_the_set_inside_the_set(touch, capsys):
    root = touch("NORMAL/a.png", "PNEUMONIA/b.png", content="same")
    touch("backup/NORMAL/a.png", "backup/PNEUMONIA/b.png", content="same")
    assert set(rows(root)) == {"NORMAL/a.png", "PNEUMONIA/b.png"}
    assert "left out 2 of 4 images" in capsys.readouterr().err
