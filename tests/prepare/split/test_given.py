"""Splits that come with the data: by folder, and by a column."""

from __future__ import annotations

from pathlib import Path

import pytest

from cxr.errors import DataError, UsageError
from cxr.find import read_manifest
from cxr.prepare.split import FolderSplitter, ManifestSplitter


def items(**counts):
    return [Path(split, "A", f"{index}.png") for split in counts for index in range(counts[split])]


def test_grandparent_folder():
    assert FolderSplitter()(items(train=2, val=1, test=1)) == ([0, 1], [2])
    assert FolderSplitter()(items(train=2, valid=1)) == ([0, 1], [2])
    assert FolderSplitter("learn", "check")(items(check=1, learn=2, valid=1)) == ([1, 2], [0])


def test_the_manifest_knows_better_than_the_folder_names():
    paths = [Path("train/A/deep/1.png"), Path("dev/A/deep/2.png")]
    assert FolderSplitter()(paths, splits=["train", "valid"]) == ([0], [1])
    with pytest.raises(DataError):
        FolderSplitter(valid="dev")(paths, splits=["train", "valid"])


def test_an_empty_side_is_refused():
    with pytest.raises(DataError, match=r"give 2 training .* 0 validation .*; found: test, train;"):
        FolderSplitter()(items(train=2, test=1))


def test_few_images_are_used_but_it_is_said(shared_data, capsys):
    manifest = read_manifest(shared_data / "kermany224")
    train, valid = FolderSplitter()(
        manifest.paths(), manifest.labels(), manifest.patients(), manifest.splits()
    )
    assert (len(train), len(valid)) == (5216, 16)
    assert "n=16 validation images are too few" in capsys.readouterr().err


def test_enough_images_and_patients_apart_say_nothing(capsys):
    paths = items(train=300, valid=100)
    FolderSplitter()(paths, patients=[f"{path.parts[0]}{path.stem}" for path in paths])
    assert capsys.readouterr().err == ""


def test_shared_patients_are_told(capsys):
    paths = items(train=300, valid=100)
    FolderSplitter()(paths, patients=[path.stem for path in paths])
    assert "100 of 100 validation images (100%) share a patient" in capsys.readouterr().err


def test_by_column():
    splits = ["valid", "train", "test", None, "Train"]
    assert ManifestSplitter()(range(5), splits=splits) == ([1, 4], [0])
    assert ManifestSplitter()(range(2), splits=["val", "train"]) == ([1], [0])


def test_refused():
    with pytest.raises(UsageError, match="no column 'fold' for ManifestSplitter"):
        ManifestSplitter("fold")(range(5))
    with pytest.raises(DataError, match=r"the column 'split' give.* 0 training"):
        ManifestSplitter()(range(2), splits=["valid", "test"])
