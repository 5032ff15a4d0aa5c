from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import logsumexp

from cxr.bundle.abstention import ConformalRule, NotFitted, nonconformity
from cxr.evaluate.abstention.conformal import (
    fit_conformal,
    grouped_quantile,
    needed,
)

CLASSES = ("NORMAL", "PNEUMONIA")


def fitted(*args: object, **options: object) -> ConformalRule:
    rule = fit_conformal(*args, **options)  # type: ignore[arg-type]
    assert isinstance(rule, ConformalRule), rule
    return rule


def draw(
    rng: np.random.Generator, n_patients: int, k: int = 2
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Images of one patient err together, and who has many images is easier to tell."""
    sizes = rng.integers(1, 7, n_patients)
    patients = np.repeat(np.arange(n_patients), sizes)
    truth = rng.integers(0, k, n_patients)[patients]
    ease = (0.5 + 0.5 * sizes + rng.normal(0, 1.5, n_patients))[patients]
    logits = rng.normal(0, 0.7, (len(patients), k))
    logits[np.arange(len(patients)), truth] += ease
    return logits, truth, patients


def test_without_groups_it_is_the_textbook_quantile() -> None:
    scores = np.random.default_rng(0).normal(size=137)
    for level in (0.5, 0.9, 0.95, 0.98):
        expected = np.sort(scores)[math.ceil(138 * level) - 1]
        assert grouped_quantile(scores, np.arange(137), level) == expected


def test_a_patient_counts_once_however_many_images() -> None:
    scores = np.array([0.0, 1, 2, 3, 4, *[9] * 50])
    groups = np.array([0, 1, 2, 3, 4, *[5] * 50])
    assert grouped_quantile(scores, groups, 5 / 7) == 4
    assert grouped_quantile(scores, groups, 6 / 7) == 9
    assert grouped_quantile(scores, groups, 6.1 / 7) == math.inf


@pytest.mark.parametrize("multi_label", [False, True])
def test_strangeness_is_the_log_odds_against(multi_label: bool) -> None:
    logits = np.random.default_rng(1).normal(0, 30, (50, 4))
    found = nonconformity(logits, multi_label)
    for i, j in np.ndindex(50, 4):
        if multi_label:
            assert found[i, j, 0] == logits[i, j] == -found[i, j, 1]
        else:
            against = logsumexp(np.delete(logits[i], j)) - logits[i, j]
            assert found[i, j] == pytest.approx(against, rel=1e-9, abs=1e-9)


def test_certain_answers_are_still_told_apart() -> None:
    """Their probabilities are all 1 in floating point."""
    found = nonconformity(np.array([[0.0, 90], [0, 91], [0, 700]]), False)[:, 1]
    np.testing.assert_allclose(found, [-90, -91, -700])


@pytest.mark.parametrize("k", [2, 3])
def test_each_class_keeps_its_promise_to_new_patients(k: int) -> None:
    """Mean over many draws; an image counts as its share of its patient, for that is promised.
    The plain quantile of all images, beside it, does not keep it: many-image patients are easy."""
    rng, ours, plain = np.random.default_rng(3), [], []
    for _ in range(150):
        logits, truth, patients = draw(rng, 120 * k, k)
        new, true, who = draw(rng, 300, k)
        share = 1 / np.bincount(who)[who]
        rule = fitted(logits, truth, patients, [str(j) for j in range(k)], alpha=0.1)
        held, strange, known = (
            rule.sets(new),
            nonconformity(new, False),
            nonconformity(logits, False),
        )
        for j in range(k):
            own = true == j
            ours.append(np.average(held[own, j], weights=share[own]))
            limit = np.quantile(known[truth == j, j], 0.9, method="higher")
            plain.append(np.average(strange[own, j] <= limit, weights=share[own]))
    assert np.mean(ours) == pytest.approx(0.9, abs=0.012)
    assert np.mean(plain) < 0.87


def test_a_temperature_changes_no_set_of_two_classes() -> None:
    logits, truth, patients = draw(np.random.default_rng(4), 200)
    plain = fitted(logits, truth, patients, CLASSES).sets(logits)
    scaled = fitted(logits / 3, truth, patients, CLASSES).sets(logits / 3)
    np.testing.assert_array_equal(plain, scaled)


def test_too_few_patients_of_a_class() -> None:
    truth = np.array([0] * 100 + [1] * 90)
    patients = [*range(100), *np.repeat(range(200, 230), 3)]
    rule = fit_conformal(np.zeros((190, 2)), truth, patients, CLASSES)
    assert isinstance(rule, NotFitted)
    assert "30 patients of PNEUMONIA, too few" in rule.reason and "at least 40" in rule.reason
    assert isinstance(fit_conformal(np.zeros((9, 1)), truth[:9], [None] * 9, ["A"]), NotFitted)


def test_limits_are_finite_from_the_least_number_on() -> None:
    for alpha in (0.01, 0.05, 0.1, 0.3):
        n = needed(alpha)
        assert math.isfinite(grouped_quantile(np.arange(n), np.arange(n), 1 - alpha))


def test_several_labels_each_on_its_own() -> None:
    rng = np.random.default_rng(5)
    targets = (rng.random((400, 3)) < (0.5, 0.3, 0.02)).astype(float)
    targets[:10, 0] = np.nan
    logits = 4 * (np.nan_to_num(targets) - 0.5) + rng.normal(0, 1, (400, 3))
    rule = fitted(logits, targets, [None] * 400, ["A", "B", "rare"], multi_label=True)
    assert rule.limits.shape == (3, 2) and rule.patients[0].sum() == 390
    assert np.isfinite(rule.limits[:2]).all()
    assert np.isfinite(rule.limits[2, 0]) and np.isnan(rule.limits[2, 1])
    held = rule.sets(logits)
    for label, there in ((0, 0), (0, 1), (1, 0), (1, 1)):
        assert held[targets[:, label] == there, label, there].mean() >= 0.95


def test_several_labels_none_with_enough() -> None:
    targets = np.eye(3)[np.arange(30) % 3]
    rule = fit_conformal(targets, targets, [None] * 30, ["A", "B", "C"], multi_label=True)
    assert isinstance(rule, NotFitted) and "10 patients of A, too few" in rule.reason
