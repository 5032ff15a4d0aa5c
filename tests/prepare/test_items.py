"""Columns of a table as sequences, and what a splitter is given."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cxr.errors import UsageError
from cxr.prepare import ManifestSplitter
from cxr.prepare.items import Column, Items, picked, split_items

CELLS = ["a", None, "c", "d"]


@pytest.mark.parametrize("dtype", [object, "str", "string", "category"])
def test_a_column_is_a_sequence_of_what_it_makes(dtype):
    column = Column(pd.Series(CELLS, dtype=dtype), str.upper)
    made = ["A", None, "C", "D"]
    assert list(column) == made and len(column) == 4
    assert [column[i] for i in range(-4, 4)] == made * 2
    assert column == made and column != made[:3] and column != "A"
    assert list(column[1:3]) == [None, "C"]
    assert list(column.picked(np.array([3, 3, 1]))) == ["D", "D", None]
    assert "C" in column
    with pytest.raises(IndexError):
        column[4]


def test_identifiers_that_are_numbers():
    assert list(Column(pd.Series([7, 8]), str)) == ["7", "8"]
    assert list(Column(pd.Series([None, np.nan], dtype=object), str)) == [None, None]
    assert list(Column(pd.Series([], dtype=object), str)) == []


def test_more_than_one_block(monkeypatch):
    monkeypatch.setattr("cxr.prepare.items._BLOCK", 3)
    assert list(Column(pd.Series(list("abcdefgh")), str)) == list("abcdefgh")


def test_plain_lists_are_picked_too():
    assert picked(["x", "y", "z"], np.array([2, 0])) == ["z", "x"]


# Splits ----------------------------------------------------------------------------------------


def test_a_splitter_gets_what_it_asks_for():
    targets = np.array([0, 1, 0, 1])
    items = Items([Path(f"{i}.png") for i in range(4)], targets, ("a", "b"), list("ppqq"))

    def splitter(paths, patients, labels, splits):
        assert (list(patients), list(labels), splits) == (list("ppqq"), [0, 1, 0, 1], None)
        return [0, 1], [2, 3]

    train, valid = split_items(items, splitter)
    assert (train.tolist(), valid.tolist()) == ([0, 1], [2, 3])
    assert split_items(items, lambda paths: ([3], [0, 1]))[0].tolist() == [3]


def test_splits_by_name_reach_their_splitter():
    names = ["train", "valid", None, "train"]
    items = Items(
        [Path(f"{i}.png") for i in range(4)], np.arange(4) % 2, ("a", "b"), [None] * 4, names
    )
    train, valid = split_items(items, ManifestSplitter())
    assert (train.tolist(), valid.tolist()) == ([0, 3], [1])


@pytest.mark.parametrize(
    ("split", "message"),
    [
        (([], [0]), r"leaves no images in train \(4 images in all\)"),
        (([0], []), "leaves no images in valid"),
        (([0, 1], [1, 2]), "puts 1 images on both sides"),
    ],
)
def test_refused_splits(split, message):
    items = Items([Path(f"{i}.png") for i in range(4)], np.arange(4) % 2, ("a", "b"), [None] * 4)
    with pytest.raises(UsageError, match=message):
        split_items(items, lambda paths: split)
