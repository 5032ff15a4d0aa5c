"""How trials are judged and told apart: by hand, and on noise."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

import cxr.scale.sweep.ranking as ranking_module
from cxr._io import write_json
from cxr.errors import DataError
from cxr.evaluate import make_predictions, measure, write_predictions
from cxr.scale.sweep.ranking import TrialScore, behind, best_of, optimism, score_runs

N = 120
CLASSES = ("NORMAL", "PNEUMONIA")


@pytest.fixture(autouse=True)
def fewer_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranking_module, "RESAMPLES", 300)


def write_run(folder: Path, scores: np.ndarray, truth: np.ndarray, first: int = 0) -> Path:
    """As a run leaves it; its rows in an order of its own. Two images a patient."""
    order = np.random.default_rng(int(scores[0] * 1e6)).permutation(len(scores))
    predictions = make_predictions(
        [f"image-{first + i:04d}.png" for i in order],
        np.stack([1 - scores, scores], axis=1)[order],
        truth[order],
        CLASSES,
        patients=[f"p{(first + i) // 2}" for i in order],
        split="valid",
    )
    folder.mkdir()
    write_predictions(predictions, folder / "predictions_valid.csv")
    write_json(folder / "metrics.json", {"valid": measure(predictions, resamples=100)})
    return folder


def scores_of(truth: np.ndarray, signal: float, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=len(truth))
    return 1 / (1 + np.exp(-(signal * (truth - 0.5) + noise)))


@pytest.fixture
def truth() -> np.ndarray:
    return np.repeat(np.random.default_rng(0).integers(0, 2, N // 2), 2)


def test_the_auroc_is_that_of_the_run(tmp_path: Path, truth: np.ndarray) -> None:
    scores = scores_of(truth, 1.5, 1)
    found = score_runs([write_run(tmp_path / "a", scores, truth)], seed=3)
    assert found.auroc["value"] == pytest.approx(roc_auc_score(truth, scores))
    assert found.auroc["low"] < found.auroc["value"] < found.auroc["high"]
    assert found.resampled.mean() == pytest.approx(found.auroc["value"], abs=0.02)
    assert found.images == tuple(f"image-{i:04d}.png" for i in range(N))


def test_of_folds_it_is_the_mean(tmp_path: Path, truth: np.ndarray) -> None:
    scores = scores_of(truth, 1.5, 1)
    halves = [slice(0, N // 2), slice(N // 2, N)]
    folders = [
        write_run(tmp_path / str(i), scores[half], truth[half], first=half.start)
        for i, half in enumerate(halves)
    ]
    found = score_runs(folders, seed=3)
    by_hand = np.mean([roc_auc_score(truth[half], scores[half]) for half in halves])
    assert found.auroc["value"] == pytest.approx(by_hand) and found.auroc["n"] == N
    one = score_runs(folders[:1], seed=3)
    assert found.resampled.std() < one.resampled.std()


def test_trials_are_paired_whatever_the_order_of_their_rows(
    tmp_path: Path, truth: np.ndarray
) -> None:
    """A model and its copy with other, equally ranked scores agree in every resample."""
    scores = scores_of(truth, 1.5, 1)
    a = score_runs([write_run(tmp_path / "a", scores, truth)], seed=3)
    b = score_runs([write_run(tmp_path / "b", scores**2, truth)], seed=3)
    np.testing.assert_allclose(a.resampled, b.resampled)
    leads = behind([a, b], 0)
    assert leads[1]["value"] == 0 and "same of every image" in leads[1]["reason"]
    assert [lead["apart"] for lead in leads] == [None, False]


def test_intervals_are_those_of_max_t(tmp_path: Path, truth: np.ndarray) -> None:
    trials = [
        score_runs([write_run(tmp_path / str(i), scores_of(truth, signal, i), truth)], seed=3)
        for i, signal in enumerate((0.2, 1.0, 3.0))
    ]
    values = [trial.auroc["value"] for trial in trials]
    largest = np.zeros(300)
    for i, j in combinations(range(3), 2):
        differences = trials[i].resampled - trials[j].resampled
        t = abs(differences - (values[i] - values[j])) / differences.std(ddof=1)
        largest = np.maximum(largest, t)
    reach = np.quantile(largest, 0.95) * (trials[2].resampled - trials[0].resampled).std(ddof=1)
    (first, second, _) = behind(trials, 2)
    assert first["low"] == pytest.approx(first["value"] - reach)
    assert first["high"] == pytest.approx(first["value"] + reach)
    assert first["apart"] and first["value"] == pytest.approx(values[2] - values[0])
    assert second["apart"] == (second["low"] > 0)


def test_noise_is_not_read_as_a_gain(truth: np.ndarray) -> None:
    """Twelve equally good settings: the best of them is hardly ever told from any other."""
    rng, told = np.random.default_rng(5), 0
    for _ in range(200):
        shared = rng.normal(size=(300, 1))
        moves = 0.02 * (shared + rng.normal(size=(300, 12)))  # the bootstrap of one data set
        values = 0.9 + 0.02 * (rng.normal() + rng.normal(size=12))
        trials = [
            TrialScore({"value": float(v)}, 0.3, v + moves[:, i], ()) for i, v in enumerate(values)
        ]
        told += any(lead["apart"] for lead in behind(trials, best_of(trials)[0]))
    assert told <= 20, "5 % of 200, and chance"


def test_ties_go_to_the_log_loss_then_to_the_first() -> None:
    def trial(auroc: float, log_loss: float) -> TrialScore:
        return TrialScore({"value": auroc}, log_loss, np.zeros(2), ())

    trials = [trial(0.8, 0.2), trial(0.9, 0.4), trial(0.9, 0.3), trial(0.9, 0.3)]
    assert best_of(trials) == [2, 3, 1, 0]


def test_without_an_auroc_there_is_no_judgement(tmp_path: Path) -> None:
    truth = np.ones(10, int)
    with pytest.raises(DataError, match=r"no AUROC to rank it by: all images are of one class"):
        score_runs([write_run(tmp_path / "a", scores_of(truth, 1.0, 1), truth)], seed=0)


def test_optimism_is_inner_less_outer(tmp_path: Path, truth: np.ndarray) -> None:
    inner = score_runs([write_run(tmp_path / "a", scores_of(truth, 2.0, 1), truth)], seed=3)
    outer = score_runs([write_run(tmp_path / "b", scores_of(truth, 1.0, 2), truth)], seed=4)
    found = optimism(inner, outer)
    assert found["value"] == inner.auroc["value"] - outer.auroc["value"]
    both = np.hypot(inner.resampled.std(), outer.resampled.std())
    assert found["high"] - found["low"] == pytest.approx(3.92 * both, rel=0.2)
