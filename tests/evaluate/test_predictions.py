from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cxr.errors import DataError, ManifestError, UsageError
from cxr.evaluate import Predictions, make_predictions, read_predictions, write_predictions

HOSTILE = [
    ("NORMAL", "PNEUMONIA"),
    ("a,b", 'quo"ted'),
    ("NA", "nan"),
    ("0", "00"),
    (" Lungen\u00adentzündung ", "肺炎"),
    ("line\nbreak", "re\r\nturn"),
    ("<script>", "prob_x"),
    ("true_x", "=1+1"),
]


def small(classes: tuple[str, str] = ("NORMAL", "PNEUMONIA")) -> Predictions:
    p = np.array([0.9, 1 / 3, 0.5, 1e-9])
    return make_predictions(
        [Path("a") / "1.png", "b,c.png", "NA", "é\n.png"],
        np.c_[1 - p, p],
        [1, 0, 1, 1],
        classes,
        patients=["p1", None, "007", float("nan")],
        split="valid",
    )


def test_columns_and_their_meaning() -> None:
    table = small().table
    assert list(table.columns) == [
        "path", "label", "patient", "prob_NORMAL", "prob_PNEUMONIA",
        "predicted", "correct", "loss", "split",
    ]  # fmt: skip
    assert list(table["label"]) == ["PNEUMONIA", "NORMAL", "PNEUMONIA", "PNEUMONIA"]
    assert list(table["predicted"]) == ["PNEUMONIA", "NORMAL", "PNEUMONIA", "NORMAL"]
    assert list(table["correct"]) == [True, True, True, False]
    np.testing.assert_allclose(table["loss"], -np.log([0.9, 2 / 3, 0.5, 1e-9]))
    assert list(table["patient"]) == ["p1", "", "007", ""]
    assert list(small().targets) == [1, 0, 1, 1]
    assert small().positive == "PNEUMONIA"


def test_images_of_unknown_patients_are_groups_of_their_own() -> None:
    groups = small().patient_groups
    assert sorted(groups) == [0, 1, 2, 3]


def test_images_of_one_patient_share_a_group() -> None:
    p = np.full((4, 2), 0.5)
    predictions = make_predictions(list("abcd"), p, [0, 1, 0, 1], ("x", "y"), patients=[7, 8, 7, 7])
    groups = predictions.patient_groups
    assert groups[0] == groups[2] == groups[3] != groups[1]


def test_decisions_follow_the_threshold() -> None:
    assert list(small().decide(0.95)) == [0, 0, 0, 0]
    assert list(small().decide(1 / 3)) == [1, 1, 1, 0]
    moved = small().at(0.3)
    assert list(moved.predicted) == [1, 1, 1, 0]
    assert list(moved.table["correct"]) == [True, False, True, False]


def test_three_classes_take_the_most_probable_whatever_the_threshold() -> None:
    p = [[0.2, 0.5, 0.3], [0.4, 0.3, 0.3]]
    predictions = make_predictions(["a", "b"], p, ["x", "y"], ("x", "y", "z"))
    assert predictions.positive is None
    assert list(predictions.decide(0.99)) == [1, 0]
    with pytest.raises(UsageError, match="no single positive"):
        _ = predictions.positive_index


@pytest.mark.parametrize("classes", HOSTILE)
def test_csv_round_trip(tmp_path: Path, classes: tuple[str, str]) -> None:
    before = small(classes)
    after = read_predictions(write_predictions(before, tmp_path / "p.csv"))
    pd.testing.assert_frame_equal(before.table, after.table, check_exact=True)
    assert after.classes == before.classes
    assert after.positive == before.positive


def test_csv_round_trip_of_several_labels(tmp_path: Path) -> None:
    truth = [[1, 0], [np.nan, 1], [np.nan, np.nan]]
    before = make_predictions("abc", [[0.9, 0.8], [0.2, 0.7], [0.5, 0.1]], truth, ("x", "y,z"))
    after = read_predictions(write_predictions(before, tmp_path / "p.csv"))
    pd.testing.assert_frame_equal(before.table, after.table, check_exact=True)
    assert after.multi_label
    assert list(after.table["predicted"]) == ["x|y,z", "y,z", "x"]
    assert list(after.table["correct"][:2]) == [False, True]
    assert after.table["correct"].isna()[2]
    np.testing.assert_allclose(after.losses, [-np.log([0.9, 0.2]).mean(), -np.log(0.7), np.nan])
    np.testing.assert_array_equal(after.targets, truth)


def test_positive_class_can_be_chosen(tmp_path: Path) -> None:
    path = write_predictions(small(("viral", "bacterial")), tmp_path / "p.csv")
    assert read_predictions(path).positive == "bacterial"
    assert read_predictions(path, positive="viral").positive_index == 0
    with pytest.raises(ManifestError, match="does not fit"):
        read_predictions(path, positive="covid")


def test_a_byte_order_mark_from_a_spreadsheet_is_no_part_of_the_first_column(
    tmp_path: Path,
) -> None:
    path = write_predictions(small(), tmp_path / "p.csv")
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert len(read_predictions(path)) == 4


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not a predictions table"),
        ("path,label\n", "at least 2 needed|missing"),
        ("path,label,patient,prob_a,prob_b,predicted,correct,loss\n", "at least one image"),
        ("path,label,patient,prob_a,prob_a,predicted,correct,loss\nx,a,,1,0,a,True,0\n", "twice"),
        ("path,label,patient,prob_a,prob_b,correct,loss\nx,a,,1,0,True,0\n", "'predicted'"),
        ("path,label,patient,prob_a,prob_b,predicted,correct,loss\nx,a,,1,zero,a,True,0\n", "zero"),
        ("path,label,patient,prob_a,prob_b,predicted,correct,loss\nx,a,,1.5,-1,a,True,0\n", "1.5"),
        ("path,label,patient,prob_a,prob_b,predicted,correct,loss\nx,a,,,1,a,True,0\n", "nan"),
        ("path,label,patient,prob_a,prob_b,predicted,correct,loss\nx,a,,1,1,a,True,0\n", "sum to"),
        ("path,label,patient,prob_a,prob_b,predicted,correct,loss\nx,c,,1,0,a,True,0\n", "'c' is"),
        ("path,label,patient,prob_a,prob_b,predicted,correct,loss\nx,a,,1,0,c,True,0\n", "'c' is"),
        ("path,label,patient,prob_a,prob_b,predicted,correct,loss\nx,a,,1,0,a,maybe,0\n", "maybe"),
        ("path,label,patient,prob_a,prob_b,predicted,correct,loss\nx,a,,1,0\n", "has 5 cells"),
        (
            "path,label,patient,prob_a,prob_b,predicted,correct,loss\nx,a,,1,0,a,True,0,9\n",
            "9 cells",
        ),
        ('path,label,patient,prob_a,prob_b,predicted,correct,loss\n"x,a\n', "not a"),
        ("path,true_a,label,patient,prob_a,predicted,correct,loss\nx,1,a,,1,a,True,0\n", "both"),
        ("path,true_a,true_b,patient,prob_a,predicted,correct,loss\nx,1,0,,1,a,True,0\n", "true_b"),
        ("path,true_a,patient,prob_a,predicted,correct,loss\nx,2,,1,a,True,0\n", "1, 0 and blank"),
    ],
)
def test_a_malformed_table_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "p.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=reason) as caught:
        read_predictions(path)
    assert str(path) in str(caught.value)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_bytes(b"\xff\xfe\x00PNG")
    with pytest.raises(ManifestError, match="not a predictions table"):
        read_predictions(path)


def test_a_missing_file_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not there"):
        read_predictions(tmp_path / "none.csv")


def test_arrays_that_do_not_fit_are_refused() -> None:
    half = np.full((2, 2), 0.5)
    with pytest.raises(ManifestError, match="probabilities have shape"):
        make_predictions(["a"], half, [0], ("x", "y"))
    with pytest.raises(ManifestError, match="targets have shape"):
        make_predictions(["a", "b"], half, [0], ("x", "y"))
    with pytest.raises(ManifestError, match="0 to 1"):
        make_predictions(["a", "b"], half, [0, 2], ("x", "y"))
    with pytest.raises(ManifestError, match="'z' is no class"):
        make_predictions(["a", "b"], half, ["x", "z"], ("x", "y"))
    with pytest.raises(ManifestError, match="a value an image"):
        make_predictions(["a", "b"], half, [0, 1], ("x", "y"), patients=["p"])
    with pytest.raises(ManifestError, match="name of its own"):
        make_predictions(["a", "b"], half, [0, 1], ("x", "x"))
