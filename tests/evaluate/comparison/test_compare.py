from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn import metrics as sk

from cxr.errors import DataError, ManifestError, UsageError
from cxr.evaluate import (
    Predictions,
    compare_models,
    compare_predictions,
    make_predictions,
    write_predictions,
)
from cxr.evaluate.measure import NO_PATIENTS
from cxr.report.comparison import comparison_sentences


def another(predictions: Predictions, spread: float = 1.0, seed: int = 9) -> Predictions:
    """A second model: the first one's scores with noise, rows in another order."""
    rng = np.random.default_rng(seed)
    p = predictions.probabilities[:, 1]
    q = 1 / (1 + np.exp(-(np.log(p / (1 - p)) + rng.normal(size=len(p)) * spread)))
    order = rng.permutation(len(p))
    return make_predictions(
        list(predictions.table["path"].iloc[order]),
        np.c_[1 - q, q][order],
        predictions.targets[order],
        predictions.classes,
        patients=predictions.patients[order].tolist(),
        split="valid",
    )


@pytest.fixture
def pair(simulate_binary: Any) -> tuple[Predictions, Predictions]:
    first = simulate_binary()
    return first.at(0.3), another(first).at(0.6)


def test_differences_are_those_of_scikit_learn_whatever_the_order(pair: Any) -> None:
    got = compare_predictions(*pair, resamples=100)
    a, b = (some.table.set_index("path").sort_index() for some in pair)
    truth = a["label"] == "PNEUMONIA"
    figures = {
        "auroc": lambda t: sk.roc_auc_score(truth, t["prob_PNEUMONIA"]),
        "accuracy": lambda t: (t["predicted"] == t["label"]).mean(),
        "sensitivity": lambda t: sk.recall_score(truth, t["prob_PNEUMONIA"] >= t.attrs["at"]),
        "specificity": lambda t: sk.recall_score(~truth, t["prob_PNEUMONIA"] < t.attrs["at"]),
    }
    a.attrs["at"], b.attrs["at"] = 0.3, 0.6
    for name, figure in figures.items():
        found = got["difference"][name]
        assert (found["a"], found["b"]) == pytest.approx((figure(a), figure(b))), name
        assert found["value"] == pytest.approx(figure(b) - figure(a))
        assert found["low"] < found["value"] < found["high"]
    counts = [300, 300, truth.sum(), (~truth).sum()]
    assert [figure["n"] for figure in got["difference"].values()] == counts
    assert got["delong"]["value"] == pytest.approx(got["difference"]["auroc"]["value"])
    alone = ((a["predicted"] == a["label"]) & (b["predicted"] != b["label"])).sum()
    assert got["mcnemar"]["only_a_right"] == alone
    assert got["n"] == 300 and got["n_patients"] == a["patient"].nunique()
    assert got["splits"] == ["valid"] and got["positive"] == "PNEUMONIA"
    json.dumps(got, allow_nan=False)


def test_the_interval_is_that_of_patients_drawn_by_hand(simulate_binary: Any) -> None:
    a = simulate_binary(n=120, patients=40)
    b = another(a)
    got = compare_predictions(a, b, resamples=2000)["difference"]["accuracy"]
    right = [t.table.set_index("path")["correct"].astype(float) for t in (a, b)]
    change = (right[1] - right[0]).groupby(a.table.set_index("path")["patient"])
    sums, counts = change.sum().to_numpy(), change.size().to_numpy()
    rng = np.random.default_rng(5)
    drawn = rng.integers(len(sums), size=(4000, len(sums)))
    by_hand = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = np.quantile(by_hand, [0.025, 0.975])
    assert (got["low"], got["high"]) == pytest.approx((low, high), abs=0.015)


def test_images_of_one_patient_widen_the_bootstrap_but_not_delong(pair: Any) -> None:
    copies = [
        make_predictions(
            [f"{i}/{path}" for i in range(4) for path in t.table["path"]],
            np.tile(t.probabilities, (4, 1)),
            np.tile(t.targets, 4),
            t.classes,
            patients=np.tile(t.table["path"], 4).tolist(),
        )
        for t in pair
    ]
    got = compare_predictions(*copies, resamples=400)
    widths = [f["high"] - f["low"] for f in (got["difference"]["auroc"], got["delong"])]
    assert widths[0] > 1.6 * widths[1]  # four copies know no more: twice the width is right


def test_a_model_does_not_differ_from_itself(simulate_binary: Any) -> None:
    a = simulate_binary()
    got = compare_predictions(a, a, resamples=100)
    for figure in got["difference"].values():
        assert figure["value"] == 0 and "every resample" in figure["reason"]
    assert got["delong"]["value"] == 0 and "no spread" in got["delong"]["reason"]
    assert got["mcnemar"]["p_value"] == 1.0


def test_one_class_only_leaves_undefined_what_needs_both() -> None:
    p = np.array([0.2, 0.7, 0.9])
    a, b = (
        make_predictions("abc", np.c_[1 - q, q], [1, 1, 1], ("normal", "sick")) for q in (p, p / 2)
    )
    got = compare_predictions(a, b, resamples=100)
    assert got["difference"]["auroc"]["value"] is None is got["delong"]["value"]
    assert got["difference"]["specificity"]["value"] is None
    assert got["difference"]["sensitivity"]["value"] == pytest.approx(-2 / 3)
    assert got["n_patients"] == {"value": None, "reason": NO_PATIENTS}
    assert any("of unknown patients" in line for line in sentences(got))


def test_more_classes_compare_accuracy(simulate_classes: Any) -> None:
    a, b = simulate_classes(), simulate_classes()
    table = b.table.assign(predicted="viral")
    got = compare_predictions(a, Predictions(table, b.classes), resamples=100)
    accuracy = (a.table["label"] == "viral").mean() - a.table["correct"].mean()
    assert got["difference"]["accuracy"]["value"] == pytest.approx(accuracy)
    assert got["difference"]["auroc"] == {"value": None, "reason": "needs two classes"}
    assert got["delong"] == {"value": None, "reason": "needs two classes"}


def test_the_order_of_classes_and_the_slashes_do_not_matter(simulate_binary: Any) -> None:
    a = simulate_binary()
    b = make_predictions(
        [path.replace("/", "\\") for path in a.table["path"]],
        a.probabilities[:, ::-1],
        1 - a.targets,
        a.classes[::-1],
        patients=a.patients.tolist(),
    )
    assert compare_predictions(a, b, resamples=100)["difference"]["auroc"]["value"] == 0


def test_one_table_may_know_the_patients_alone(pair: Any) -> None:
    a, b = pair
    known = compare_predictions(a, b, resamples=100)
    for change in ((True, False), (False, True)):
        tables = [
            Predictions(t.table.assign(patient=""), t.classes, positive=t.positive) if off else t
            for t, off in zip((a, b), change, strict=True)
        ]
        assert compare_predictions(*tables, resamples=100)["n_patients"] == known["n_patients"]


def changed(predictions: Predictions, **columns: Any) -> Predictions:
    table = predictions.table.copy()
    for name, value in columns.items():
        table.loc[table.index[:2], name] = value
    return Predictions(table, predictions.classes, positive=predictions.positive)


def test_what_is_refused(simulate_binary: Any, simulate_labels: Any) -> None:
    a = simulate_binary(n=40)
    fewer = Predictions(a.table.iloc[:30], a.classes, positive=a.positive)
    turned = {"NORMAL": "PNEUMONIA", "PNEUMONIA": "NORMAL"}[a.table["label"][0]]
    renamed = simulate_binary(n=40, classes=("NORMAL", "COVID"))
    other = Predictions(a.table, a.classes, positive="NORMAL")
    for b, kind, said in (
        (fewer, DataError, "has 40 images, the second 30, and 30 are shared"),
        (changed(a, path=["x", "y"]), DataError, "second 40, and 38 are shared"),
        (changed(a, path="x"), ManifestError, "x is twice in the second table"),
        (changed(a, label=turned), DataError, r"40 images are shared, and the labels of [12] diff"),
        (changed(a, patient="someone"), DataError, "the patients of 2 differ"),
        (renamed, DataError, "classes differ: NORMAL, PNEUMONIA in the first model, COVID, NORMAL"),
        (other, DataError, "the finding differ"),
        (simulate_labels(n=40), DataError, "several labels an image"),
    ):
        with pytest.raises(kind, match=said) as raised:
            compare_predictions(a, b)
        assert "\n" not in str(raised.value) and "someone" not in str(raised.value)
    with pytest.raises(UsageError, match="10 resamples"):
        compare_predictions(a, a, resamples=10)


def sentences(figures: dict[str, Any]) -> list[str]:
    models = {model: {"predictions": f"{model}.csv"} for model in "ab"}
    return comparison_sentences(
        {"about": {"research_use_only": "not a medical device"}, **models, **figures}
    )


def test_sentences_say_who_is_better(simulate_binary: Any) -> None:
    a = simulate_binary()
    worse = another(a, spread=8.0)
    for pair, verdict in (((a, worse), "A is better"), ((worse, a), "B is better")):
        lines = sentences(compare_predictions(*pair, resamples=200))
        patients = len(set(a.patients))
        assert lines[0] == f"A is a.csv, B is b.csv: the same 300 images of {patients} patients."
        assert lines[1].startswith("AUROC: A 0.") and lines[1].endswith(f"n=300): {verdict}.")
        assert lines[-1] == "not a medical device"
    lines = sentences(compare_predictions(a, another(a, spread=0.2), resamples=200))
    assert lines[1].endswith("no difference is shown.")
    lines = sentences(compare_predictions(a, a, resamples=100))
    assert "every resample gives the same value" in lines[1]
    assert any("DeLong's test of the AUROC: none" in line for line in lines)


def test_the_file_holds_what_is_returned(tmp_path: Path, pair: Any) -> None:
    places = [write_predictions(t, tmp_path / f"{i}.csv") for i, t in enumerate(pair)]
    got = compare_models(*places, tmp_path / "out", resamples=100)
    assert json.loads((tmp_path / "out" / "compare.json").read_text(encoding="utf-8")) == got
    assert "not a medical device" in got["about"]["research_use_only"]
    assert got["a"]["predictions"] == str(places[0])
    assert "not noted" in got["a"]["threshold"]["reason"]
    straight = compare_predictions(*pair, resamples=100)
    assert {name: got[name] for name in straight} == straight
