from __future__ import annotations

import pandas as pd
import pytest

from cxr.errors import ManifestError, UnknownName
from cxr.find.layouts.columns import age_years, descriptions, find_column, path_column, sex_letter


@pytest.mark.parametrize(
    ("meaning", "column"),
    [
        ("path", "Image Index"),
        ("path", "file_name"),
        ("path", "Path"),
        ("label", "Finding Labels"),
        ("label", "Target"),
        ("patient", "Patient ID"),
        ("patient", "subject_id"),
        ("view", "View Position"),
        ("sex", "Patient Gender"),
    ],
)
def test_usual_names(meaning, column):
    assert find_column(pd.DataFrame(columns=["other", column]), meaning) == column


def test_the_preferred_name_wins():
    frame = pd.DataFrame(columns=["finding", "class", "label"])
    assert find_column(frame, "label") == "label"
    assert find_column(frame, "label", "finding") == "finding"


def test_a_column_that_is_not_there():
    with pytest.raises(UnknownName, match=r"unknown label column 'lable'; near names: label"):
        find_column(pd.DataFrame(columns=["path", "label"]), "label", "lable")


def test_path_column_known_by_what_it_holds():
    frame = pd.DataFrame({"x": ["1", "2"], "scan": ["a.png", "b.dcm"]})
    assert path_column(frame, None, "t.csv") == "scan"
    with pytest.raises(ManifestError, match=r"t\.csv has no column with image paths .*: x\)"):
        path_column(frame[["x"]], None, "t.csv")


def test_descriptions_are_brought_into_one_form():
    frame = pd.DataFrame(
        {
            "Patient Age": ["058Y", "006M", None],
            "Gender": ["Female", "m", "O"],
            "subset": ["val", "Training", "fold3"],
            "AP/PA": ["AP", None, "PA"],
        },
        dtype=object,
    )
    table, sources = descriptions(frame)
    assert sources == ["subset", "AP/PA", "Patient Age", "Gender"]
    assert table["split"].tolist() == ["valid", "train", "fold3"]
    assert table["age"][:2].tolist() == [58.0, 0.5]
    assert table["age"].isna().tolist() == [False, False, True]
    assert table["sex"].tolist() == ["F", "M", "O"]
    assert table["view"].isna().tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("text", "years"),
    [("045Y", 45), ("58", 58), ("58.5", 58.5), ("018M", 1.5), ("052W", 0.9966), ("365D", 0.9993)],
)
def test_ages(text, years):
    assert age_years(text) == pytest.approx(years, abs=1e-4)


def test_no_age():
    assert pd.isna(age_years("old"))
    assert pd.isna(age_years("-5"))
    assert pd.isna(age_years("411Y"))


def test_sex():
    assert [sex_letter(text) for text in ("Male", "F", "other")] == ["M", "F", "other"]
