from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cxr.config import ManifestOptions
from cxr.errors import ManifestError, UnknownName, UsageError
from cxr.find.layouts.labels import read_labels


def frame(**columns):
    return pd.DataFrame(columns, dtype=object)


def test_one_class_each():
    labels = read_labels(frame(label=[" A ", "B", None, " "]), ManifestOptions(), "t.csv")
    assert labels.classes == ()
    assert labels.sources == ("label",)
    assert labels.table["label"].tolist()[:2] == ["A", "B"]
    assert labels.table["label"].isna().tolist() == [False, False, True, True]


def test_joined_by_pipes():
    column = ["Mass | Effusion", "No Finding", "Effusion", None]
    labels = read_labels(frame(**{"Finding Labels": column}), ManifestOptions(), "t.csv")
    assert labels.classes == ("Effusion", "Mass")
    np.testing.assert_array_equal(
        labels.table.to_numpy(), [[1, 1], [0, 0], [1, 0], [np.nan, np.nan]]
    )


def test_flag_columns_are_found(capsys):
    table = frame(
        Pneumonia=["1", "0.0", "-1"],
        Effusion=["0", None, "1.0"],
        fold=["0", "1", "1"],
        note=["1", "0", "bad"],
        empty=["0", "0", None],
    )
    labels = read_labels(table, ManifestOptions(), "t.csv")
    assert labels.classes == ("Effusion", "Pneumonia")
    np.testing.assert_array_equal(labels.table.to_numpy(), [[0, 1], [np.nan, 0], [1, np.nan]])
    assert "t.csv: 1 uncertain labels (-1) count as unknown" in capsys.readouterr().err


def test_chosen_columns():
    table = frame(a=["1", "0"], b=["0", "1"], label=["x", "y"])
    labels = read_labels(table, ManifestOptions(label_columns=("b", "a")), "t.csv")
    assert labels.classes == ("a", "b")
    with pytest.raises(UnknownName, match="unknown label column 'c'"):
        read_labels(table, ManifestOptions(label_columns=("a", "c")), "t.csv")
    with pytest.raises(UsageError, match="not both"):
        read_labels(table, ManifestOptions(label_column="a", label_columns=("b",)), "t.csv")


def test_other_values_are_refused():
    table = frame(a=["1", "0", "2"], b=["0", "1", "1"])
    with pytest.raises(ManifestError, match=r"column 'a' holds '2' in row 3; .* 1, 0, -1"):
        read_labels(table, ManifestOptions(label_columns=("a", "b")), "t.csv")


def test_no_label_column():
    with pytest.raises(
        ManifestError, match=r"no column of labels \(free columns: age\); .*--label"
    ):
        read_labels(frame(age=["5"]), ManifestOptions(), "t.csv")
