from __future__ import annotations

import pytest

from cxr.config import ManifestOptions
from cxr.find.layouts import splits

KAGGLE = (
    "train/NORMAL/a.png",
    "train/PNEUMONIA/b.png",
    "val/NORMAL/c.png",
    "val/PNEUMONIA/d.png",
    "test/NORMAL/e.png",
    "test/PNEUMONIA/f.png",
)


def read(root):
    return splits.read(root, ManifestOptions()).table.sort_values("path").reset_index(drop=True)


def test_split_and_class(touch):
    table = read(touch(*KAGGLE))
    assert table["path"].tolist() == sorted(KAGGLE)
    assert table["split"].tolist() == ["test"] * 2 + ["train"] * 2 + ["valid"] * 2
    assert table["label"].tolist() == ["NORMAL", "PNEUMONIA"] * 3


@pytest.mark.parametrize("name", ["val", "valid", "Validation", "dev"])
def test_names_of_the_validation_folder(touch, name):
    root = touch("Train/A/1.png", f"{name}/A/2.png")
    assert splits.recognises(root, ManifestOptions())
    assert set(zip(read(root)["path"], read(root)["split"], strict=True)) == {
        ("Train/A/1.png", "train"),
        (f"{name}/A/2.png", "valid"),
    }


def test_kaggle_set_holds_everything_twice(touch, capsys):
    """The archive unpacks to chest_xray/ with chest_xray/chest_xray/ and __MACOSX inside."""
    root = touch(*(f"chest_xray/{name}" for name in KAGGLE), content="pixels")
    touch(*(f"chest_xray/chest_xray/{name}" for name in KAGGLE), content="pixels")
    touch(*(f"chest_xray/__MACOSX/chest_xray/{name}" for name in KAGGLE), content="attributes")
    assert splits.recognises(root, ManifestOptions())
    assert splits.recognises(root / "chest_xray", ManifestOptions())
    assert read(root)["path"].tolist() == sorted(f"chest_xray/{name}" for name in KAGGLE)
    assert read(root / "chest_xray")["path"].tolist() == sorted(KAGGLE)
    assert "left out 6 of 12 images" in capsys.readouterr().err


def test_an_incomplete_outer_copy_is_completed_from_the_inner_one(touch):
    root = touch(*KAGGLE[:3], content="pixels")
    touch(*(f"chest_xray/{name}" for name in KAGGLE), content="pixels")
    assert len(read(root)) == len(KAGGLE)


def test_equal_names_with_other_content_are_no_copies(touch):
    root = touch("train/A/1.png", content="one")
    touch("more/train/A/1.png", content="another")
    assert len(read(root)) == 2


def test_images_outside_the_split_folders_are_left_out_with_a_line(touch, capsys):
    root = touch(*KAGGLE, "docs/figure.png", "train/loose.png")
    assert len(read(root)) == len(KAGGLE)
    assert "left out 2 images outside the split folders" in capsys.readouterr().err


def test_class_folders_are_not_split_folders(touch):
    assert not splits.recognises(touch("NORMAL/a.png", "PNEUMONIA/b.png"), ManifestOptions())


def test_a_train_folder_of_loose_images_is_no_split(touch):
    assert not splits.recognises(touch("train/a.png", "test/b.png"), ManifestOptions())
