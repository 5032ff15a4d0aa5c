"""The checks of heat maps notice what they are there to notice."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from cxr._io.drawing import resized
from cxr.apply import Predictor, load_learner
from cxr.apply.explain import sanity
from cxr.apply.explain.lungs import lung_estimate
from cxr.apply.explain.sanity import Cut, attention_shares, border_estimate, randomisation_test
from cxr.errors import UsageError
from cxr.find.phantom import PhantomSpec, render_image
from cxr.pixels import WHOLE, LungFrame, resize
from cxr.pixels.resize import cut

WriteModel = Callable[..., Path]


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    spec = PhantomSpec(seed=5, size=96)
    return np.stack([resize(render_image(patient, 0, spec).pixels, 64) for patient in range(4)])


def set_heat(monkeypatch: pytest.MonkeyPatch, heat: Callable[..., np.ndarray]) -> None:
    monkeypatch.setattr(sanity, "heat_of", heat)


def test_a_map_of_edges_fails(
    tiny_model: Path, pictures: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    edges = lambda _, film, *rest: np.abs(np.diff(film.astype(np.float32), append=0))  # noqa: E731
    set_heat(monkeypatch, edges)
    found = randomisation_test(load_learner(tiny_model), pictures)
    assert found["similarity"] == pytest.approx(1) and found["passed"] is False


def test_a_map_of_what_was_learnt_passes(
    tiny_model: Path, pictures: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    def heat(network: torch.nn.Module, film: np.ndarray, *rest: object) -> np.ndarray:
        seed = int(network.head[-1].weight.abs().sum() * 1e4) + int(film[0, 0])
        return np.random.default_rng(seed).random(film.shape, np.float32)

    set_heat(monkeypatch, heat)
    found = randomisation_test(load_learner(tiny_model), pictures)
    assert abs(found["similarity"]) < 0.2 and found["passed"] is True
    assert found["n"] == 4 and found["similarity"] == max(found["head"], found["network"])


def test_the_same_seed_gives_the_same_figures_and_leaves_the_model_alone(
    tiny_model: Path, pictures: np.ndarray
) -> None:
    predictor = load_learner(tiny_model)
    before = predictor.logits(pictures)
    assert randomisation_test(predictor, pictures[:2], 3) == randomisation_test(
        predictor, pictures[:2], 3
    )
    assert torch.equal(before, predictor.logits(pictures))


def test_rank_correlation_is_scipys() -> None:
    from scipy.stats import spearmanr

    rng = np.random.default_rng(0)
    one, other = np.maximum(rng.normal(size=(2, 32, 32)), 0).astype(np.float32)
    other += one
    expected = spearmanr(one.ravel(), other.ravel()).statistic
    assert sanity._correlation(one, other) == pytest.approx(expected)
    assert sanity._correlation(one, np.zeros_like(one)) == 0


def test_shares_are_those_of_a_known_map(
    tiny_model: Path, pictures: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    predictor = load_learner(tiny_model)
    in_lungs = lambda _, film, *rest: lung_estimate(film).astype(np.float32)  # noqa: E731
    set_heat(monkeypatch, in_lungs)
    assert attention_shares(predictor, pictures)["outside_lungs"]["value"] == 0
    even = lambda _, film, *rest: np.ones(film.shape, np.float32)  # noqa: E731
    set_heat(monkeypatch, even)
    for figure in attention_shares(predictor, pictures).values():
        assert figure["value"] == pytest.approx(figure["area"]) and figure["n"] == 4
        assert figure["low"] <= figure["value"] <= figure["high"]
    set_heat(monkeypatch, lambda _, film, *rest: np.zeros(film.shape, np.float32))
    assert attention_shares(predictor, pictures)["on_borders"]["value"] is None


def test_heat_of_a_cut_is_measured_on_its_whole_image(
    tiny_model: Path, pictures: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    predictor = load_learner(tiny_model)
    whole = resize(pictures[0], (256, 256))
    lungs = lung_estimate(whole)
    rows, columns = np.flatnonzero(lungs.any(1)), np.flatnonzero(lungs.any(0))
    edges = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
    frame = LungFrame(*(edge / 256 for edge in edges), 1.0, "lungs")
    inside = lungs[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].astype(np.float32)
    set_heat(monkeypatch, lambda _, image, *rest: resized(inside, image.shape))
    (pixels,) = [cut(whole, frame.box, 64)]
    cuts = [Cut(whole, frame)]
    share = attention_shares(predictor, pixels[None], cuts=cuts)["outside_lungs"]
    assert share["value"] < 0.03 and share["area"] == pytest.approx(1 - lungs.mean())
    set_heat(monkeypatch, lambda _, image, *rest: np.ones(image.shape, np.float32))
    share = attention_shares(predictor, pixels[None], cuts=cuts)["outside_lungs"]
    assert share["value"] == pytest.approx(1 - inside.mean(), abs=0.01)


@pytest.mark.parametrize("method", ["squish", "pad", "crop"])
def test_the_whole_image_as_cut_is_measured_as_before(
    write_model: Callable[..., Path], pictures: np.ndarray, method: str
) -> None:
    predictor = load_learner(write_model(resize_method=method))
    square = resize(pictures[0], (256, 256))
    heat = np.random.default_rng(0).random((256, 256), np.float32)
    placed = sanity.placed_away(predictor, Cut(square, WHOLE), heat)
    assert placed == pytest.approx(sanity.heat_away(square, heat))


def test_patients_are_drawn_not_images(
    tiny_model: Path, pictures: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    predictor: Predictor = load_learner(tiny_model)
    split = lambda _, film, *rest: (  # noqa: E731
        lung_estimate(film) if film[30, 30] > 90 else ~lung_estimate(film)
    ).astype(np.float32)
    films = np.stack([np.maximum(pictures[0], 91)] * 4 + [np.minimum(pictures[0], 89)] * 4)
    set_heat(monkeypatch, split)
    alone = attention_shares(predictor, films)["outside_lungs"]
    together = attention_shares(predictor, films, np.repeat([3, 7], 4))["outside_lungs"]
    assert alone["value"] == together["value"] == 0.5
    assert together["high"] - together["low"] > alone["high"] - alone["low"] > 0


def test_markers_outside_the_lungs_are_borders() -> None:
    film, lungs = np.full((64, 64), 100, np.uint8), np.zeros((64, 64), bool)
    lungs[20:40, 10:30] = True
    film[10:13, 50:53] = 255  # a marker
    film[30:33, 20:23] = 255  # as bright, in a lung
    film[45:60, 30:60] = 255  # too large for a marker
    found = border_estimate(film, lungs)
    assert found[11, 51] and not found[31, 21] and not found[52, 45] and not found[20, 32]
    assert found[:4].all() and found[:, -4:].all() and not found[4, 4]


def test_no_images_is_said(tiny_model: Path, pictures: np.ndarray) -> None:
    with pytest.raises(UsageError, match="no images"):
        randomisation_test(load_learner(tiny_model), pictures[:0])
