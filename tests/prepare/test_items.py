"""Columns of a table as sequences, and what a splitter is given."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cxr.prepare.items import Column, picked

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
