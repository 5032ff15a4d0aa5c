"""What is no frontal chest radiograph has a stated outcome, without any training data: a reason why
it cannot be read, or why the model is not confident, first."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw
from tests.helpers.dicom_data import dicom_dataset, written

from cxr._io import progress_disabled
from cxr.apply import Predictor, load_learner
from cxr.apply.batch import predict_rows
from cxr.find import get_image_files
from cxr.find.phantom import write_phantom
from cxr.pixels import load_grey


@pytest.fixture(scope="module")
def chests(tmp_path_factory: pytest.TempPathFactory) -> list[np.ndarray]:
    with progress_disabled():
        folder = write_phantom(tmp_path_factory.mktemp("p") / "phantom", n_images=4, size=256)
    return [load_grey(path, 256) for path in get_image_files(folder)]


@pytest.fixture(params=["lungs", "whole"])
def predictor(request: pytest.FixtureRequest, write_model: Callable[..., Path]) -> Predictor:
    return load_learner(write_model(frame=request.param))


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width), dtype=np.uint8)


def cat() -> np.ndarray:
    """A colour photograph as far as colours go: patches of the same brightness differ."""
    patches = np.random.default_rng(0).integers(40, 216, (6, 6, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(patches).resize((200, 200), Image.Resampling.BICUBIC))


def page(chest: np.ndarray) -> np.ndarray:
    """A screenshot of a report: lines of text on white around a small image."""
    image = Image.new("L", (700, 900), 250)
    image.paste(Image.fromarray(chest), (60, 120))
    pen = ImageDraw.Draw(image)
    for row in range(40):
        pen.text((60, 420 + 11 * row), "No focal consolidation. Heart size normal. " * 2, fill=20)
    return np.asarray(image)


def slice_of_a_body() -> np.ndarray:
    y, x = np.mgrid[-1:1:200j, -1:1:200j]
    body = np.where(x**2 / 0.8 + y**2 / 0.5 < 1, 150, 0) - np.where(x**2 + y**2 < 0.02, 90, 0)
    return body.astype(np.uint8)


def outcome(predictor: Predictor, path: Path, data: np.ndarray | bytes) -> dict[str, object]:
    path.write_bytes(data) if isinstance(data, bytes) else Image.fromarray(data).save(path)
    (row,) = predict_rows(predictor, [path])
    return row


def test_a_chest_is_taken_as_one(
    predictor: Predictor, chests: list[np.ndarray], tmp_path: Path
) -> None:
    for chest in chests:
        row = outcome(predictor, tmp_path / "chest.png", chest)
        assert row["error"] is None and row["confident"] is not False


@pytest.mark.parametrize(
    ("name", "draw", "said"),
    [
        ("cat.png", lambda chests: cat(), "the image is in colour"),
        ("cat.jpg", lambda chests: cat(), "the image is in colour"),
        ("blank.png", lambda chests: np.full((300, 200), 77, np.uint8), "no lungs were found"),
        ("noise.png", lambda chests: noise(200, 200), "no lungs were found"),
        ("strip.png", lambda chests: noise(16, 3000), "no lungs were found"),
        ("two.png", lambda chests: np.hstack(chests[:2]), ""),
        ("page.png", lambda chests: page(chests[0]), ""),
        ("turned.png", lambda chests: np.rot90(chests[0]).copy(), "the image is turned"),
        ("slice.png", lambda chests: slice_of_a_body(), ""),
    ],
)
def test_never_confident(
    name: str,
    draw: Callable[[list[np.ndarray]], np.ndarray],
    said: str,
    predictor: Predictor,
    chests: list[np.ndarray],
    tmp_path: Path,
) -> None:
    row = outcome(predictor, tmp_path / name, draw(chests))
    assert row["confident"] is False
    assert row["status"] == "not judged" and str(row["not_judged"]).startswith(said)


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ({"Modality": "CT"}, "the DICOM header says that this is CT, no radiograph"),
        ({"BodyPartExamined": "HAND"}, "the DICOM header names another part of the body"),
        ({"ViewPosition": "LL"}, "the DICOM header names a lateral view"),
    ],
)
def test_what_the_header_says_counts_though_lungs_are_seen(
    header: dict[str, str],
    said: str,
    predictor: Predictor,
    chests: list[np.ndarray],
    tmp_path: Path,
) -> None:
    row = outcome(predictor, tmp_path / "a.dcm", written(dicom_dataset(chests[0], **header)))
    assert row["confident"] is False and str(row["not_judged"]).startswith(said)
    plain = outcome(predictor, tmp_path / "b.dcm", written(dicom_dataset(chests[0])))
    same = ["decision", "prob_PNEUMONIA", "frame_x0", "frame_y1", "frame_score"]
    assert [row[key] for key in same] == [plain[key] for key in same]


@pytest.mark.parametrize("shape", [(1, 3000), (3000, 1)])
def test_a_line_is_no_image(shape: tuple[int, int], predictor: Predictor, tmp_path: Path) -> None:
    row = outcome(predictor, tmp_path / "line.png", noise(*shape))
    assert "3000" in str(row["error"]) and row["decision"] is None
