"""Differences of figures beside scikit-learn, a bootstrap by hand and `cxr.evaluate`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, recall_score, roc_auc_score

from cxr.apply.stress.differences import FIGURES, measure_differences
from cxr.evaluate import Predictions, make_predictions, measure

NAMES = [metric.name for metric in FIGURES]


def simulated(classes: tuple[str, ...], noise: float, seed: int = 0) -> Predictions:
    rng = np.random.default_rng(seed)
    patient = rng.integers(80, size=200)
    truth = rng.integers(len(classes), size=80)[patient]
    logits = rng.normal(size=(200, len(classes)))
    logits[np.arange(200), truth] += 1.5
    logits += noise * np.random.default_rng(9).normal(size=logits.shape)
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return make_predictions([str(i) for i in range(200)], p, truth, classes, patients=patient)


def labelled(noise: float) -> Predictions:
    rng = np.random.default_rng(0)
    truth = (rng.random((120, 3)) < 0.4).astype(float)
    truth[rng.random(truth.shape) < 0.2] = np.nan
    truth[:, 2] = np.where(np.isnan(truth[:, 2]), np.nan, 0.0)  # nobody has the third
    logits = np.nan_to_num(truth) * 2 - 1 + rng.normal(size=truth.shape)
    logits += noise * rng.normal(size=truth.shape)
    p = 1 / (1 + np.exp(-logits))
    return make_predictions([str(i) for i in range(120)], p, truth, ("a", "b", "c"))


def test_two_classes_equal_scikit_learn() -> None:
    plain, changed = (simulated(("no", "yes"), noise) for noise in (0, 2))
    paired = measure_differences(plain, [changed, plain], 0.3)
    scores = changed.probabilities[:, 1]
    decided, truth = scores >= 0.3, changed.targets == 1
    wanted = {
        "accuracy": accuracy_score(truth, decided),
        "auroc": roc_auc_score(truth, scores),
        "sensitivity": recall_score(truth, decided),
        "specificity": recall_score(~truth, ~decided),
    }
    figures = paired.figures(0)
    assert {name: figures[name]["value"] for name in NAMES} == pytest.approx(wanted)
    before = measure(plain, 0.3)
    for name, difference in paired.differences([0]).items():
        assert difference["value"] == pytest.approx(wanted[name] - before[name]["value"])
        assert difference["low"] < difference["value"] < difference["high"]
    share = paired.decisions_changed[0]
    assert share["value"] == np.mean(decided != (plain.probabilities[:, 1] >= 0.3))
    # images that do not change move nothing, and no interval pretends otherwise
    assert {d["value"] for d in paired.differences([1]).values()} == {0.0}
    assert paired.decisions_changed[1]["value"] == 0
    halves = paired.differences([0, 1])["accuracy"]["value"]
    assert halves == pytest.approx(paired.differences([0])["accuracy"]["value"] / 2)


def test_the_interval_is_that_of_a_bootstrap_by_hand() -> None:
    plain, changed = (simulated(("no", "yes"), noise) for noise in (0, 1))
    found = measure_differences(plain, [changed], 0.5, resamples=2000).differences([0])["accuracy"]
    groups, generator = plain.patient_groups, np.random.default_rng(7)
    moved = (changed.decide() == changed.targets).astype(float) - (plain.decide() == plain.targets)
    means = []
    for _ in range(2000):
        drawn = generator.integers(groups.max() + 1, size=groups.max() + 1)
        means.append(np.concatenate([moved[groups == g] for g in drawn]).mean())
    low, high = np.quantile(means, [0.025, 0.975])
    assert (found["low"], found["high"]) == pytest.approx((low, high), abs=0.012)


@pytest.mark.parametrize(
    "side", [lambda noise: simulated(("a", "b", "c"), noise), labelled], ids=["classes", "labels"]
)
def test_several_classes_and_labels_agree_with_evaluate(
    side: Callable[[float], Predictions],
) -> None:
    plain, changed = side(0), side(2)
    paired = measure_differences(plain, [changed], 0.5)
    figures, wanted = paired.figures(0), measure(changed, 0.5, resamples=100)
    for name in NAMES:
        assert figures[name]["value"] == pytest.approx(wanted[name]["value"])
    differs = plain.decide() != changed.decide()
    some = differs.any(axis=1) if differs.ndim == 2 else differs
    assert paired.decisions_changed[0]["value"] == some.mean()


def test_one_class_alone_leaves_figures_undefined() -> None:
    p = np.random.default_rng(0).random(20)
    plain = make_predictions([str(i) for i in range(20)], np.c_[1 - p, p], [0] * 20, ("no", "yes"))
    found = measure_differences(plain, [plain], 0.5).differences([0])
    assert found["auroc"] == {"value": None, "reason": "all images are of one class; it needs both"}
    assert found["sensitivity"]["value"] is None and found["specificity"]["value"] == 0
