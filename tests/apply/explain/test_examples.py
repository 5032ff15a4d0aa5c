from __future__ import annotations

import numpy as np
import pytest

from cxr.apply.explain.examples import find_examples, nearest
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
