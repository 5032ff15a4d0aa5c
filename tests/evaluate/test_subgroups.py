"""Figures of groups against the same figures of a table that holds that group alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from cxr.errors import UsageError
from cxr.evaluate import Predictions, make_predictions, measure
from cxr.evaluate.subgroups import measure_subgroups, split_column
from cxr.evaluate.subgroups.measure import MOST_GROUPS

METRICS = ("auroc", "accuracy", "sensitivity", "specificity")


def rows_of(predictions: Predictions, rows: NDArray[Any]) -> Predictions:
    table = predictions.table[rows].reset_index(drop=True)
    return Predictions(table, predictions.classes, predictions.multi_label, predictions.positive)


def names_of(predictions: Predictions, name: str, values: Sequence[Any]) -> dict[str, int]:
    return {g.name: len(g.rows) for g in split_column(name, values, predictions).groups}


def two_sites(n: int = 600, hard: float = 0.3, seed: int = 0) -> tuple[Predictions, NDArray[Any]]:
    """Independent images; at the site "north" a share `hard` is scored at random."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(2, size=n)
    site = np.where(rng.random(n) < 0.3, "north", "south")
    lost = (site == "north") & (rng.random(n) < hard)
    z = np.where(lost, 2 * rng.normal(size=n), 3 * truth - 1.5 + rng.normal(size=n))
    p = 1 / (1 + np.exp(-z))
    names = [f"p{i}" for i in range(n)]
    return make_predictions(names, np.c_[1 - p, p], truth, ("a", "b"), patients=names), site


@pytest.fixture
def small(simulate_binary: Any) -> Predictions:
    return simulate_binary(n=120, patients=60)


def test_each_group_has_the_figures_of_its_own_table(simulate_binary: Any) -> None:
    predictions = simulate_binary(n=500, patients=200)
    sex = np.random.default_rng(0).choice(["F", "M"], size=500)
    got = measure_subgroups(predictions, {"sex": sex}, 0.4, resamples=400)["sex"]
    assert got["missing"] == 0 and {g["name"] for g in got["groups"]} == {"F", "M"}
    for group in got["groups"]:
        alone = measure(rows_of(predictions, sex == group["name"]), 0.4, resamples=400)
        assert group["n"] == alone["n"] and group["n_patients"] == alone["n_patients"]
        for name in ("prevalence", *METRICS):
            assert group[name]["value"] == pytest.approx(alone[name]["value"])
            assert group[name]["n"] == alone[name]["n"]
            width = alone[name]["high"] - alone[name]["low"]
            for end in ("low", "high"):  # other resamples of the same patients
                assert group[name][end] == pytest.approx(alone[name][end], abs=0.35 * width)
    json.dumps(got, allow_nan=False)


def test_the_worst_group_and_its_gap_to_all_the_others() -> None:
    predictions, site = two_sites()
    got = measure_subgroups(predictions, {"site": site}, resamples=400)["site"]["worst"]
    assert set(got) == set(METRICS)
    north, south = (
        measure(rows_of(predictions, site == s), resamples=100) for s in ("north", "south")
    )
    for name in METRICS:
        gap = north[name]["value"] - south[name]["value"]
        assert got[name]["name"] == "north"
        assert got[name]["value"] == pytest.approx(north[name]["value"])
        assert got[name]["gap"]["value"] == pytest.approx(gap)
        assert got[name]["gap"]["low"] < gap < got[name]["gap"]["high"] < 0
        assert got[name]["beyond_chance"] and gap < got[name]["by_chance"] < 0


def test_independent_groups_differ_as_widely_as_the_normal_law_says() -> None:
    predictions, site = two_sites(n=2000)
    gap = measure_subgroups(predictions, {"site": site})["site"]["worst"]["accuracy"]["gap"]
    right = predictions.table["correct"].to_numpy(bool)
    spread = sum(right[site == s].var() / (site == s).sum() for s in ("north", "south")) ** 0.5
    assert gap["high"] - gap["low"] == pytest.approx(2 * 1.96 * spread, rel=0.08)


def test_equal_groups_are_beyond_chance_as_seldom_as_is_said() -> None:
    alarms = 0
    for seed in range(40):
        predictions, _ = two_sites(n=300, hard=0, seed=seed)
        machine = np.random.default_rng(1000 + seed).choice(list("ABC"), size=300)
        got = measure_subgroups(predictions, {"machine": machine}, resamples=100)
        alarms += got["machine"]["worst"]["auroc"]["beyond_chance"]
    assert alarms <= 6  # of 40; two are to be expected


def test_groups_that_are_too_small_are_counted_and_refused(small: Predictions) -> None:
    truth = small.targets
    view = np.where(truth == 0, "PA", "AP").astype(object)
    view[:40] = "lateral"
    got = measure_subgroups(small, {"view": view}, resamples=100)["view"]
    by_name = {group["name"]: group for group in got["groups"]}
    assert set(by_name["PA"]) == {"name", "n", "n_patients", "refused"}
    assert "0 patients with PNEUMONIA and" in by_name["PA"]["refused"]
    assert "10 of each are needed" in by_name["AP"]["refused"]
    assert by_name["lateral"]["auroc"]["value"] > 0.5
    assert got["worst"] is None  # one group alone is no comparison


def test_ten_patients_of_each_are_enough_and_nine_are_not() -> None:
    rng = np.random.default_rng(0)
    truth, p = np.arange(60) % 2, rng.random(60)
    names = [str(i) for i in range(60)]
    predictions = make_predictions(names, np.c_[1 - p, p], truth, "ab", patients=names)
    for first, refused in ((18, True), (20, False)):
        grade = np.where(np.arange(60) < first, "x", "y")
        groups = measure_subgroups(predictions, {"grade": grade}, resamples=100)["grade"]["groups"]
        assert ("refused" in groups[1]) == refused


def test_only_the_largest_groups_are_measured(simulate_binary: Any) -> None:
    predictions = simulate_binary(n=400, patients=300)
    site = [f"site {i % 20 if i < 200 else i % 3}" for i in range(400)]
    groups = measure_subgroups(predictions, {"site": site}, resamples=100)["site"]["groups"]
    assert len(groups) == MOST_GROUPS + 1
    assert groups[-1]["name"] == "8 smaller groups" and groups[-1]["n"] == 80
    assert "12 groups with the most images" in groups[-1]["refused"]
    assert sum(group["n"] for group in groups) == 400


def test_classes_that_exclude_each_other(simulate_classes: Any) -> None:
    predictions = simulate_classes(n=500, patients=300)
    sex = np.random.default_rng(0).choice(["F", "M"], size=500)
    got = measure_subgroups(predictions, {"sex": sex}, resamples=200)["sex"]
    for group in got["groups"]:
        alone = measure(rows_of(predictions, sex == group["name"]), resamples=100)
        for name in METRICS:
            assert group[name]["value"] == pytest.approx(alone[name]["value"])
        assert group["auroc"]["classes"] == 3 and "classes" not in group["accuracy"]
        assert group["prevalence"] == {"value": None, "reason": "one for each class"}
    assert set(got["worst"]) == set(METRICS)


def test_several_labels_over_those_with_enough_patients(simulate_labels: Any) -> None:
    predictions = simulate_labels(n=400, patients=200)
    table = predictions.table.assign(true_Nodule=(np.arange(400) < 8).astype(float))
    predictions = Predictions(table, predictions.classes, multi_label=True)
    sex = np.random.default_rng(0).choice(["F", "M"], size=400)
    got = measure_subgroups(predictions, {"sex": sex}, resamples=100)["sex"]
    for group in got["groups"]:
        alone = measure(rows_of(predictions, sex == group["name"]), resamples=100)["per_class"]
        for name in METRICS:
            two = [alone[label][name]["value"] for label in ("Edema", "Effusion")]
            assert group[name]["value"] == pytest.approx(np.mean(two))
            assert group[name]["classes"] == 2
    rare = ["x" if i < 4 else "y" for i in range(400)]
    groups = measure_subgroups(predictions, {"rare": rare}, resamples=100)["rare"]["groups"]
    assert groups[1]["refused"] == "no class has 10 patients with it and 10 without"


def test_images_without_a_patient_are_counted_as_images() -> None:
    rng = np.random.default_rng(0)
    p = rng.random(60)
    predictions = make_predictions(
        [str(i) for i in range(60)], np.c_[1 - p, p], np.arange(60) % 2, "ab"
    )
    sex = np.where(np.arange(60) < 12, "F", "M")
    groups = measure_subgroups(predictions, {"sex": sex}, resamples=100)["sex"]["groups"]
    assert [group["n_patients"] for group in groups] == [None, None]
    assert groups[1]["refused"] == "6 images with b and 6 without; 10 of each are needed"


def test_ages_are_stages_of_life(small: Predictions) -> None:
    ages = [0.2, 0.9, 1, 4.9, 5, 17, 18.0, 64, 65, 80, 101, -1, 400, None, float("nan"), ""]
    values = ages + [30] * (120 - len(ages))
    assert names_of(small, "PatientAge", values) == {
        "PatientAge under 1": 2, "PatientAge 1 to 4": 2, "PatientAge 5 to 11": 1,
        "PatientAge 12 to 17": 1, "PatientAge 18 to 39": 105, "PatientAge 40 to 64": 1,
        "PatientAge 65 to 79": 1, "PatientAge 80 and over": 2,
    }  # fmt: skip
    assert split_column("age", values, small).missing == 5
    text = ["" if value is None else str(value) for value in values]
    assert names_of(small, "age", text) == names_of(small, "age", values)


@pytest.mark.parametrize(
    ("values", "names"),
    [
        (np.arange(120) % 40 + 60, ["under 70", "70 to 79", "80 to 88", "89 and over"]),
        (
            np.linspace(0, 1, 120),
            ["under 0.2", "0.2 to under 0.5", "0.5 to under 0.8", "0.8 and over"],
        ),
        (np.maximum(np.arange(120) - 100, 0), ["under 1", "1 and over"]),
        (np.arange(120) % 3, ["0", "1", "2"]),
    ],
)
def test_other_numbers_are_binned_at_rounded_quartiles(
    values: NDArray[Any], names: list[str], small: Predictions
) -> None:
    got = names_of(small, "kvp", values)
    assert list(got) == [f"kvp {name}" for name in names]
    assert sum(got.values()) == 120 and min(got.values()) >= 19
    assert names_of(small, "kvp", [str(v) for v in values]) == got


def test_truths_and_text(small: Predictions) -> None:
    tube = [True, False, None] + [False] * 117
    assert names_of(small, "tube", tube) == {"no": 118, "yes": 1}
    assert names_of(small, "tube", [str(v) for v in tube]) != {}
    site = ["  north   wing ", "north wing"] + [" "] * 50 + ["south"] * 68
    assert names_of(small, "site", site) == {"south": 68, "north wing": 2}
    assert split_column("site", site, small).missing == 50


@pytest.mark.parametrize(
    "name",
    ["patient", "Patient ID", "PatientName", "patient_birth_date", "study", "StudyInstanceUID",
     "path", "file", "image_path", "subject", "case_id", "mrn", "AccessionNumber", "DOB", "name"],
)  # fmt: skip
def test_columns_that_name_people_are_refused(name: str, small: Predictions) -> None:
    with pytest.raises(UsageError, match="may tell who a patient is"):
        measure_subgroups(small, {name: ["x", "y"] * 60}, resamples=100)


@pytest.mark.parametrize("name", ["PatientAge", "Patient Sex", "InstitutionName", "covid", "view"])
def test_columns_about_people_are_not(name: str, small: Predictions) -> None:
    assert split_column(name, ["x", "y"] * 60, small).missing == 0


def test_identifiers_under_another_name_are_refused_and_not_repeated(small: Predictions) -> None:
    own = list(small.patients)
    codes = {patient: f"secret-{i}" for i, patient in enumerate(dict.fromkeys(own))}
    coded = [codes[patient] for patient in own]
    several = [[i, i, i, -5][i % 4] for i in range(1000, 1120)]
    for values in (own, coded, several, [f"secret {i}" for i in range(120)]):
        with pytest.raises(UsageError, match=r"identifier") as caught:
            split_column("ward", values, small)
        assert "secret" not in str(caught.value) and own[0] not in str(caught.value)


def test_a_column_of_other_length_or_of_blanks(small: Predictions) -> None:
    with pytest.raises(UsageError, match="2 values for 120 images"):
        split_column("sex", ["F", "M"], small)
    with pytest.raises(UsageError, match="blank for every image"):
        split_column("sex", [None] * 120, small)


def test_the_seed_decides(small: Predictions) -> None:
    sex = ["F", "M"] * 60
    first, same, other = (
        measure_subgroups(small, {"sex": sex}, resamples=100, seed=seed) for seed in (0, 0, 1)
    )
    assert first == same != other
