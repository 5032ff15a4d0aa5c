"""Examples, neighbours, and what a report is given."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cxr.apply import load_learner
from cxr.apply.explain.explanation import make_explanation, pooled_features
from cxr.apply.explain.overlay import box_in_pixels
from cxr.evaluate import Predictions, make_predictions
from cxr.pixels import WHOLE, LungFrame, load_grey
from cxr.pixels.frame import frame_rows
from cxr.pixels.resize import cut
from helpers.frames import BOX, SCORE, frame_line

CLASSES = ("NORMAL", "PNEUMONIA")


def predictions_of(positive: list[float], truth: list[int], patients: list[str]) -> Predictions:
    chances = np.array(positive)
    paths = [f"{i}.png" for i in range(len(chances))]
    return make_predictions(
        paths, np.stack([1 - chances, chances], 1), truth, CLASSES, patients=patients
    )


@dataclass
class Set:
    paths: list[Path]
    pixels: np.ndarray
    rows: np.ndarray
    labels: list[str]
    frames: np.ndarray | None = None

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


def test_a_model_of_lungs_is_explained_on_whole_images(
    write_model: Callable[..., Path], films: list[Path], tmp_path: Path
) -> None:
    predictor = load_learner(write_model(frame="lungs"))
    root = films[0].parent.parent
    paths = [*films[:3], root / "gone.png"]
    frame = LungFrame(*BOX, SCORE, "lungs")
    pixels = np.stack([cut(load_grey(film), BOX, 64) for film in films])
    frames = frame_rows([frame, frame, WHOLE, frame])
    labels = [film.parent.name for film in films]
    asked = Set(paths, pixels, np.arange(4), labels, frames)
    bank = Set(films[3:], pixels, np.array([3, 4, 5]), labels[3:])
    predictions = predictions_of([0.9, 0.8, 0.7, 0.6], [0, 0, 1, 1], ["a", "b", "c", "d"])
    facts = make_explanation(predictor, predictions, asked, bank, tmp_path / "figures", root=root)
    json.dumps(facts, allow_nan=False)
    assert facts["outside_lungs"]["n"] == 3 and 0 <= facts["outside_lungs"]["value"] <= 1
    examples = {Path(one["path"]).name: one for one in facts["examples"]["top_losses"]}
    for path, box in zip(paths, (list(BOX), list(BOX), None, "none"), strict=True):
        one = examples[path.name]
        drawn = np.asarray(Image.open(tmp_path / "figures" / one["image"]))
        line = frame_line(drawn)
        assert one.get("frame", "none") == box
        assert line.any() == isinstance(box, list)
        if box != "none":
            assert 0 <= one["between_lungs"] <= one["outside_lungs"] <= 1
            heat = warm(drawn[:, drawn.shape[1] // 2 + 4 :])
            _, _, right, bottom = box_in_pixels(BOX, heat.shape)
            assert box is None or (not heat[bottom + 2 :].any() and not heat[:, right + 2 :].any())


def warm(pixels: np.ndarray) -> np.ndarray:
    """Where there is heat: more red than blue."""
    return np.asarray(pixels[..., 0].astype(int) - pixels[..., 2] > 12)


def _images(part: object) -> list[str]:
    if isinstance(part, dict):
        own = [part["image"]] if "image" in part else []
        return own + [name for value in part.values() for name in _images(value)]
    return [name for value in part for name in _images(value)] if isinstance(part, list) else []
