from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.special import expit, logit, ndtr
from scipy.stats import gaussian_kde
from sklearn.metrics import roc_curve

from cxr.errors import DataError, UsageError
from cxr.evaluate import Predictions, choose_threshold, make_predictions, measure
from cxr.evaluate.threshold import choose_label_thresholds, require_rule_fits


def rates(predictions: Predictions, threshold: float) -> tuple[float, float]:
    found = predictions.decide(threshold) == predictions.positive_index
    truth = predictions.targets == predictions.positive_index
    return float(found[truth].mean()), float((~found)[~truth].mean())


def smoothed_gain(predictions: Predictions, odds: float = 1.0) -> Any:
    """odds x sensitivity + specificity of scipy's kernel estimates, a function of log-odds."""
    log_odds = logit(predictions.probabilities[:, 1])
    kernels = []
    for values in (log_odds[predictions.targets == 1], log_odds[predictions.targets == 0]):
        low, high = np.quantile(values, [0.25, 0.75])
        width = 0.9 * min(values.std(), (high - low) / 1.34) * len(values) ** -0.2
        kernels.append(gaussian_kde(values, width / values.std(ddof=1)))

    def gain(point: float) -> float:
        found, cleared = (kernel.integrate_box_1d(-np.inf, point) for kernel in kernels)
        return float(odds * (1 - found) + cleared)

    return gain


@pytest.mark.parametrize(("rule", "odds"), [("youden", 1.0), ("cost:5@0.2", 1.25)])
def test_the_threshold_is_the_best_of_scipys_kernel_estimates(
    rule: str, odds: float, simulate_binary: Any
) -> None:
    predictions = simulate_binary()
    gain = smoothed_gain(predictions, odds)
    best = max(gain(point) for point in np.linspace(-6, 6, 1201))
    assert gain(logit(choose_threshold(predictions, rule))) == pytest.approx(best, abs=1e-5)


@pytest.mark.parametrize("ties", [False, True])
def test_youden_is_near_the_best_that_scikit_learn_finds(ties: bool, simulate_binary: Any) -> None:
    predictions = simulate_binary(ties=ties)
    x, y, _ = roc_curve(predictions.targets, predictions.probabilities[:, 1])
    sensitivity, specificity = rates(predictions, choose_threshold(predictions))
    best = (y - x).max()
    assert best - 0.04 < sensitivity + specificity - 1 <= best + 1e-12  # one standard error


def test_youden_holds_better_on_new_images_than_the_best_of_the_sample() -> None:
    """Well-separated classes, where the optimum is flat; judged by the true distributions."""
    rng = np.random.default_rng(0)
    truth = np.arange(600) < 400
    chosen, best = [], []
    for _ in range(25):
        p = expit(rng.normal(size=600) + np.where(truth, 2, -2))
        chosen.append(logit(choose_threshold(sick(p, truth))))
        x, y, at = roc_curve(truth, p)
        best.append(logit(at[np.argmax(y - x)]))
    assert np.std(chosen) < 0.8 * np.std(best)
    lost = [
        np.mean(2 * ndtr(2) - ndtr(2 - at) - ndtr(2 + at)) for at in map(np.array, (chosen, best))
    ]
    assert lost[0] < 0.6 * lost[1]


def sick(p: Any, truth: Any) -> Predictions:
    names = [str(i) for i in range(len(p))]
    return make_predictions(names, np.c_[1 - p, p], truth.astype(int), ("normal", "sick"))


def test_costs_move_the_threshold_as_decision_theory_says() -> None:
    """Equal normal distributions at -1 and 1: the optimum is at log-odds -log(odds) / 2."""
    rng = np.random.default_rng(1)
    truth = np.arange(2000) < 1000
    predictions = sick(expit(rng.normal(size=2000) + np.where(truth, 1, -1)), truth)
    for rule, odds in (("cost:1", 1), ("cost:4", 4), ("cost:0.25", 0.25), ("cost:4@0.2", 1)):
        at = logit(choose_threshold(predictions, rule))
        assert at == pytest.approx(-np.log(odds) / 2, abs=0.15)


def test_cost_weighs_the_classes_as_they_are_here(simulate_binary: Any) -> None:
    predictions = simulate_binary()
    here = float(np.mean(predictions.targets))
    stated = choose_threshold(predictions, f"cost:3@{here!r}")
    assert choose_threshold(predictions, "cost:3") == pytest.approx(stated)


@pytest.mark.parametrize("share", [0.5, 0.95, 1.0])
def test_a_share_is_reached_at_the_least_cost(share: float, simulate_binary: Any) -> None:
    predictions = simulate_binary()
    x, y, _ = roc_curve(
        predictions.targets, predictions.probabilities[:, 1], drop_intermediate=False
    )
    sensitivity, specificity = rates(
        predictions, choose_threshold(predictions, f"sensitivity:{share}")
    )
    assert sensitivity >= share
    assert specificity == pytest.approx(1 - x[y >= share].min())
    sensitivity, specificity = rates(
        predictions, choose_threshold(predictions, f"specificity:{share}")
    )
    assert specificity >= share
    assert sensitivity == pytest.approx(y[1 - x >= share - 1e-12].max())


def test_a_threshold_lies_between_scores() -> None:
    p = np.array([0.1, 0.3, 0.6, 0.9])
    predictions = make_predictions("abcd", np.c_[1 - p, p], [0, 0, 1, 1], ("normal", "sick"))
    assert choose_threshold(predictions, "sensitivity:1") == pytest.approx(0.45)
    assert 0.3 < choose_threshold(predictions) < 0.6


@pytest.mark.parametrize("p", [[0.0, 0.0, 1.0, 1.0], [0.2, 0.2, 0.9, 0.9], [0.1, 0.1, 0.1, 0.9]])
def test_scores_that_are_all_the_same_still_have_a_threshold(p: list[float]) -> None:
    threshold = choose_threshold(sick(np.array(p), np.array([0, 0, 1, 1])))
    assert min(p) < threshold < max(p)


def test_a_share_out_of_reach_is_told() -> None:
    p = np.ones(4)
    predictions = make_predictions("abcd", np.c_[1 - p, p], [0, 0, 1, 1], ("normal", "sick"))
    with pytest.raises(DataError, match=r"specificity:0\.9"):
        choose_threshold(predictions, "specificity:0.9")


def test_one_class_has_no_threshold() -> None:
    predictions = make_predictions("ab", np.full((2, 2), 0.5), [1, 1], ("normal", "sick"))
    with pytest.raises(DataError, match="of one class"):
        choose_threshold(predictions)


@pytest.mark.parametrize(
    "rule",
    [
        "best",
        "sensitivity",
        "sensitivity:",
        "specificity:2",
        "youden:1",
        "f1:0.5",
        "",
        "sensitivity:0.9@0.2",
        "cost",
        "cost:0",
        "cost:-1",
        "cost:inf",
        "cost:nan",
        "cost:5@",
        "cost:5@0",
        "cost:5@1",
        "cost:5@20%",
    ],
)
def test_unknown_rules_are_refused(rule: str, simulate_binary: Any) -> None:
    with pytest.raises(UsageError, match="allowed: youden"):
        choose_threshold(simulate_binary(), rule)


def test_more_classes_have_no_single_threshold(simulate_classes: Any) -> None:
    with pytest.raises(UsageError, match="no single positive class"):
        choose_threshold(simulate_classes())


def test_each_label_has_a_threshold_of_its_own(simulate_labels: Any) -> None:
    """As two classes would, from the images where the label is known; measured at it."""
    labels = simulate_labels()
    thresholds = choose_label_thresholds(labels, "sensitivity:0.95")
    for i in range(len(labels.classes)):
        known = ~np.isnan(labels.targets[:, i])
        p, truth = labels.probabilities[known, i], labels.targets[known, i].astype(int)
        two = make_predictions(
            ["x.png"] * len(p), np.stack([1 - p, p], axis=1), truth, ("no", "yes"), positive="yes"
        )
        assert thresholds[i] == choose_threshold(two, "sensitivity:0.95")
        assert (p[truth == 1] >= thresholds[i]).mean() >= 0.95
    metrics = measure(labels, thresholds, resamples=100)
    assert metrics["threshold"] == dict(zip(labels.classes, thresholds, strict=True))
    for name in labels.classes:
        assert metrics["per_class"][name]["sensitivity"]["value"] >= 0.95
    assert (labels.at(thresholds).table["predicted"] != labels.at(0.5).table["predicted"]).any()


def test_a_label_that_no_image_has_is_named(simulate_labels: Any) -> None:
    labels = simulate_labels()
    targets = labels.targets.copy()
    targets[:, 1] = np.where(np.isnan(targets[:, 1]), np.nan, 0)
    names = labels.classes
    empty = make_predictions(["x.png"] * len(targets), labels.probabilities, targets, names)
    with pytest.raises(DataError, match=f"no threshold for {names[1]}"):
        choose_label_thresholds(empty, "youden")


def test_a_rule_for_several_exclusive_classes_is_refused() -> None:
    with pytest.raises(UsageError, match="for 3 classes that exclude each other"):
        require_rule_fits("sensitivity:0.95", 3, multi_label=False)
    for rule, classes, several in ((None, 3, False), ("youden", 2, False), ("youden", 3, True)):
        require_rule_fits(rule, classes, several)
