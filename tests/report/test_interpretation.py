from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import pyplot as plt
from PIL import Image
from sklearn import metrics as sk

from cxr.config import FRAME_COLUMNS
from cxr.errors import ImageError, UsageError
from cxr.evaluate import make_predictions
from cxr.pixels import LungFrame
from cxr.report.interpretation import ClassificationInterpretation, grid
from helpers.frames import BOX

mpl.use("Agg")


@pytest.fixture(autouse=True)
def closed_figures() -> Iterator[None]:
    yield
    plt.close("all")


@pytest.fixture
def with_images(tmp_path: Path) -> ClassificationInterpretation:
    """Five images, each of one grey level, under a root."""
    names = [f"{i}.png" for i in range(5)]
    for i, name in enumerate(names):
        Image.fromarray(np.full((64, 48), 40 * i, np.uint8)).save(tmp_path / name)
    p = np.array([0.9, 0.2, 0.6, 0.4, 0.05])
    predictions = make_predictions(names, np.c_[1 - p, p], [1, 1, 0, 0, 1], ("NORMAL", "SICK"))
    return ClassificationInterpretation.from_predictions(predictions, tmp_path)


def test_confusion_matrix_equals_scikit_learn(simulate_classes: Any) -> None:
    predictions = simulate_classes(k=4)
    got = ClassificationInterpretation(predictions).confusion_matrix()
    np.testing.assert_array_equal(
        got, sk.confusion_matrix(predictions.targets, predictions.decide())
    )


def test_most_confused_lists_the_most_first(simulate_classes: Any) -> None:
    interpretation = ClassificationInterpretation(simulate_classes())
    counts = interpretation.confusion_matrix()
    pairs = interpretation.most_confused(min_val=2)
    assert [count for *_, count in pairs] == sorted((count for *_, count in pairs), reverse=True)
    names = list(interpretation.predictions.classes)
    assert all(counts[names.index(a), names.index(b)] == n >= 2 and a != b for a, b, n in pairs)
    everything = interpretation.most_confused(min_val=0)
    assert sum(n for *_, n in everything) == counts.sum() - np.trace(counts)


def test_classification_report_is_scikit_learns(simulate_binary: Any) -> None:
    predictions = simulate_binary()
    text = ClassificationInterpretation(predictions).classification_report()
    names = list(predictions.classes)
    assert text == sk.classification_report(
        predictions.targets, predictions.decide(), target_names=names
    )


def test_top_losses_come_in_order(with_images: ClassificationInterpretation) -> None:
    losses, indices = with_images.top_losses(3)
    assert list(indices) == [4, 1, 2]
    np.testing.assert_allclose(losses, -np.log([0.05, 0.2, 0.4]))
    assert list(with_images.top_losses(2, largest=False)[1]) == [0, 3]
    assert len(with_images.top_losses()[0]) == 5


def test_an_image_without_any_known_label_has_no_place_in_the_losses() -> None:
    truth = [[np.nan, np.nan], [1, 0], [0, np.nan]]
    predictions = make_predictions("abc", [[0.5, 0.5], [0.9, 0.2], [0.9, 0.2]], truth, ("x", "y"))
    assert list(ClassificationInterpretation(predictions).top_losses()[1]) == [2, 1]


def test_from_learner_takes_its_validation_predictions() -> None:
    asked = []

    def predictions(split: str) -> dict[str, Any]:
        asked.append(split)
        chances = [[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]]
        return {
            "paths": ["a", "b", "c"],
            "probabilities": chances,
            "targets": [0, 1, 1],
            "classes": ["NORMAL", "SICK"],
        }

    interpretation = ClassificationInterpretation.from_learner(
        SimpleNamespace(predictions=predictions)
    )
    assert asked == ["valid"]
    assert interpretation.confusion_matrix().tolist() == [[1, 0], [1, 1]]
    assert list(interpretation.top_losses(1)[1]) == [2]


def test_from_learner_takes_the_frames_of_its_images() -> None:
    frames = np.array([(*BOX, 0.5, 0), (0, 0, 1, 1, 0, 3)], np.float32)
    columns = {"paths": ["a", "b"], "probabilities": [[0.9, 0.1]] * 2, "targets": [0, 1]}
    learner = SimpleNamespace(
        predictions=lambda split: {**columns, "classes": ["NORMAL", "SICK"]},
        dls=SimpleNamespace(valid=SimpleNamespace(images=SimpleNamespace(frames=frames))),
    )
    table = ClassificationInterpretation.from_learner(learner).predictions.table
    assert table[list(FRAME_COLUMNS[:4])].to_numpy().tolist() == [list(BOX), [0, 0, 1, 1]]


def test_plot_confusion_matrix_writes_every_count(simulate_classes: Any) -> None:
    interpretation = ClassificationInterpretation(simulate_classes())
    figure = interpretation.plot_confusion_matrix(figsize=(5, 5), dpi=60)
    counts = [int(text.get_text().split("\n")[0]) for text in figure.axes[0].texts]
    np.testing.assert_array_equal(np.reshape(counts, (3, 3)), interpretation.confusion_matrix())
    assert tuple(figure.get_size_inches() * figure.dpi) == (300, 300)
    shares = interpretation.plot_confusion_matrix(normalize=True).axes[0].texts
    assert sum(float(text.get_text()) for text in shares) == pytest.approx(3, abs=0.05)


def test_plot_top_losses_shows_the_images_and_what_was_said(
    with_images: ClassificationInterpretation,
) -> None:
    figure = with_images.plot_top_losses(5, nrows=1)
    assert len(figure.axes) == 5
    assert figure.axes[0].get_title() == "NORMAL / SICK / 3.00 / 0.95\n4.png"
    shown = [int(np.asarray(axes.images[0].get_array())[0, 0]) for axes in figure.axes]
    assert shown == [40 * i for i in with_images.top_losses()[1]]
    figure.canvas.draw()


def test_plot_top_losses_frames_what_the_model_saw(
    with_images: ClassificationInterpretation,
) -> None:
    whole, none = (0, 0, 1, 1, 0.1, 3), (np.nan,) * 6
    frames = np.array([(*BOX, 0.9, 0), whole, none, (*BOX, 0.9, 0), whole])
    predictions = with_images.predictions.with_frames(frames)
    interpretation = ClassificationInterpretation(predictions, with_images.root)
    figure = interpretation.plot_top_losses(5)
    axes = dict(zip(interpretation.top_losses()[1], figure.axes, strict=False))
    assert {row: len(one.patches) for row, one in axes.items()} == {0: 2, 1: 0, 2: 0, 3: 2, 4: 0}
    box = axes[0].patches[0].get_bbox()  # of 48 x 64 pixels, whose corner is at -0.5
    assert (box.x0, box.y0, box.x1, box.y1) == (11.5, 7.5, 35.5, 55.5)
    figure.canvas.draw()


def test_plot_top_losses_lays_the_heat_of_a_model_in_its_frame(
    with_images: ClassificationInterpretation,
) -> None:
    frame = LungFrame(*BOX, 0.9, "lungs")
    predictor = SimpleNamespace(
        framed=lambda image: (image[:32, :32], frame),
        heat_map=lambda pixels: SimpleNamespace(values=np.ones((32, 32), np.float32)),
        config=SimpleNamespace(resize_method="squish"),
    )
    figure = with_images.plot_top_losses(1, predictor=predictor)
    colours = np.asarray(figure.axes[0].images[0].get_array()).astype(int)
    warm = colours[..., 0] - colours[..., 2] > 50
    expected = np.zeros((64, 48), bool)
    expected[8:56, 12:36] = True
    np.testing.assert_array_equal(warm, expected)
    assert len(figure.axes[0].patches) == 2


def test_plot_top_losses_of_several_labels(
    with_images: ClassificationInterpretation, simulate_labels: Any
) -> None:
    p, truth = [[0.9, 0.6], [0.1, 0.2]], [[0, 1], [0, np.nan]]
    predictions = make_predictions(["0.png", "1.png"], p, truth, ("Edema", "Nodule"))
    interpretation = ClassificationInterpretation(predictions, with_images.root)
    titles = [axes.get_title() for axes in interpretation.plot_top_losses(2).axes]
    assert titles == ["Edema|Nodule / Nodule / 1.41\n0.png", "none / none / 0.11\n1.png"]


def test_a_missing_image_is_named_and_leaves_no_figure_open(
    with_images: ClassificationInterpretation, tmp_path: Path
) -> None:
    (tmp_path / "4.png").unlink()
    with pytest.raises(ImageError, match=r"4\.png"):
        with_images.plot_top_losses(2)
    assert plt.get_fignums() == []


def test_several_labels_have_no_confusion_matrix(simulate_labels: Any) -> None:
    with pytest.raises(UsageError, match="per_class"):
        ClassificationInterpretation(simulate_labels()).confusion_matrix()


def test_a_notebook_shows_a_figure_once(with_images: ClassificationInterpretation) -> None:
    figure = with_images.plot_confusion_matrix()
    assert plt.fignum_exists(figure.number)
    figure._repr_html_()  # IPython asks when the figure is a cell's last value
    assert not plt.fignum_exists(figure.number)


@pytest.mark.parametrize(
    ("n", "nrows", "ncols", "shape"),
    [(5, 1, None, (1, 5)), (9, None, None, (3, 3)), (7, None, None, (2, 4)), (7, None, 3, (3, 3))],
)
def test_grid_holds_all(
    n: int, nrows: int | None, ncols: int | None, shape: tuple[int, int]
) -> None:
    assert grid(n, nrows, ncols) == shape


def test_no_images_is_wrong_usage(with_images: ClassificationInterpretation) -> None:
    with pytest.raises(UsageError, match="no image to show"):
        with_images.plot_top_losses(0)
