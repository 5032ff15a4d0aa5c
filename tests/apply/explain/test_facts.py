"""Examples, neighbours, and what a report is given."""

from __future__ import annotations

import json
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cxr.apply import load_learner
from cxr.apply.explain.examples import find_examples, nearest
from cxr.apply.explain.explanation import make_explanation, pooled_features
from cxr.apply.explain.overlay import heat_png, image_png
from cxr.errors import UsageError
from cxr.evaluate import Predictions, make_predictions

CLASSES = ("NORMAL", "PNEUMONIA")


def predictions_of(positive: list[float], truth: list[int], patients: list[str]) -> Predictions:
    chances = np.array(positive)
    paths = [f"{i}.png" for i in range(len(chances))]
    return make_predictions(
        paths, np.stack([1 - chances, chances], 1), truth, CLASSES, patients=patients
    )


def test_examples_are_the_worst_and_the_surest_one_a_patient() -> None:
    predictions = predictions_of(
        [0.99, 0.98, 0.02, 0.45, 0.60, 0.999], [0, 0, 1, 0, 1, 1], ["a", "a", "b", "c", "d", ""]
    )
    found = find_examples(predictions, threshold=0.5, k=2)
    assert found == {"top_losses": [0, 2], "most_certain": [5, 0], "least_certain": [3, 4]}
    assert find_examples(predictions, threshold=0.98, k=1)["least_certain"] == [1]
    everything = find_examples(predictions, k=9)["top_losses"]
    assert sorted(everything) == [0, 2, 3, 4, 5]


def test_examples_of_several_labels() -> None:
    chances = np.array([[0.9, 0.5], [0.9, 0.01], [0.3, 0.2]])
    truth = np.array([[1.0, 1.0], [0.0, np.nan], [np.nan, np.nan]])
    predictions = make_predictions(["a", "b", "c"], chances, truth, ["x", "y"])
    found = find_examples(predictions)
    assert found["top_losses"] == [1, 0]  # without a label there is no loss
    assert found["least_certain"][0] == 0 and found["most_certain"][0] == 1


def test_examples_of_three_classes() -> None:
    chances = np.array([[0.4, 0.35, 0.25], [0.5, 0.0, 0.5], [0.8, 0.1, 0.1]])
    found = find_examples(make_predictions(["a", "b", "c"], chances, [0, 1, 2], ["x", "y", "z"]))
    assert found["least_certain"] == [1, 0, 2] and found["top_losses"] == [1, 2, 0]


def test_nearest_is_by_angle() -> None:
    bank = np.array([[1, 0], [0, 5], [-1, 0], [1, 1]], np.float32)
    distances, rows = nearest(np.array([[2, 0.1]], np.float32), bank)
    assert rows.tolist() == [[0, 3, 1]]
    direct = [1 - 2 / np.hypot(2, 0.1), 1 - 2.1 / np.sqrt(2) / np.hypot(2, 0.1)]
    np.testing.assert_allclose(distances[0, :2], direct, atol=1e-6)
    assert nearest(bank[:1], bank[:2])[1].shape == (1, 2)
    with pytest.raises(UsageError, match="cannot be compared"):
        nearest(bank, bank[:, :1])


@dataclass
class Set:
    paths: list[Path]
    pixels: np.ndarray
    rows: np.ndarray
    labels: list[str]

    def label_of(self, index: int) -> str:
        return self.labels[index]


def test_features_are_what_the_head_sees(tiny_model: Path, films: list[Path]) -> None:
    predictor = load_learner(tiny_model)
    network = predictor.network
    pixels = np.stack([predictor.pixels(film) for film in films])
    rows = np.array([4, 1])
    found = pooled_features(network, pixels, rows)
    import torch

    with torch.no_grad():
        exact = network.features(torch.from_numpy(pixels[rows])[:, None]).numpy()
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, exact, rtol=0.1, atol=0.05 * np.abs(exact).max())


def test_facts_hold_what_a_report_needs(
    tiny_model: Path, films: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    predictor = load_learner(tiny_model)
    pixels = np.stack([predictor.pixels(film) for film in films])
    root = films[0].parent.parent
    labels = [film.parent.name for film in films]
    paths = [*films[:3], root / "NORMAL" / "gone.png"]
    asked = Set(paths, pixels, np.array([0, 1, 2, 3]), labels)
    bank = Set(films[3:], pixels, np.array([3, 4, 5]), labels[3:])
    predictions = predictions_of(
        [0.9, 0.2, 0.7, 0.4], [0, 0, 1, 1], ["secret"] * 2 + ["hidden", ""]
    )
    facts = make_explanation(predictor, predictions, asked, bank, tmp_path / "figures", root=root)
    assert facts == make_explanation(
        predictor, predictions, asked, bank, tmp_path / "again", root=root
    )
    text = json.dumps(facts, allow_nan=False)
    assert "secret" not in text and str(tmp_path) not in text and str(root) not in text
    assert facts["sanity"]["randomised"]["n"] == 3  # called positive at the model's 0.4
    top = facts["examples"]["top_losses"][0]
    assert top["path"] == films[0].relative_to(root).as_posix()
    assert (top["label"], top["predicted"]) == (labels[0], "PNEUMONIA")
    assert top["probability"] == 0.9 and top["loss"] == pytest.approx(-np.log(0.1))
    assert len(top["neighbours"]) == 3
    assert [one["distance"] for one in top["neighbours"]] == sorted(
        one["distance"] for one in top["neighbours"]
    )
    # The image whose file is gone is drawn from its pixels and is its own nearest neighbour.
    (gone,) = [
        one for one in facts["examples"]["least_certain"] if one["path"].endswith("gone.png")
    ]
    assert gone["neighbours"][0]["distance"] == pytest.approx(0, abs=1e-3)
    named = set(_images(facts))
    assert named == {path.name for path in (tmp_path / "figures").iterdir()}
    for name in named:
        Image.open(tmp_path / "figures" / name).verify()


def _images(part: object) -> list[str]:
    if isinstance(part, dict):
        own = [part["image"]] if "image" in part else []
        return own + [name for value in part.values() for name in _images(value)]
    return [name for value in part for name in _images(value)] if isinstance(part, list) else []


def test_small_images() -> None:
    film = np.random.default_rng(0).integers(0, 256, (80, 40), dtype=np.uint8)
    assert Image.open(BytesIO(image_png(film, 20))).size == (10, 20)
    heat = np.zeros((80, 40), np.float32)
    heat[60:, :] = 1
    both = np.asarray(Image.open(BytesIO(heat_png(film, heat, 80)))).astype(int)
    left, right = both[:, :40], both[:, -40:]
    np.testing.assert_array_equal(left[:, :, 0], film)
    np.testing.assert_array_equal(right[:55], left[:55])
    assert (right[65:, :, 0] > right[65:, :, 2]).all()
