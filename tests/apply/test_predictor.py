from __future__ import annotations

import csv
import io
import pickle
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pydicom
import pytest
import torch
from PIL import Image

from cxr.apply import load_learner
from cxr.errors import BundleError, ImageError
from cxr.find import read_manifest
from cxr.find.phantom import write_phantom
from cxr.prepare import RandomSplitter, Resize, dataloaders_from_manifest
from cxr.train import Learner, vision_learner

Labels = Sequence[dict[str, str]]


@pytest.fixture
def learner_of(tmp_path: Path) -> Callable[[Labels], Learner]:
    """A learner with random weights on noise: for each row of labels four images."""

    def make(labels: Labels) -> Learner:
        rng = np.random.default_rng(0)
        rows = [{"path": f"{i}.png", "patient": str(i), **labels[i % len(labels)]}
                for i in range(4 * len(labels))]  # fmt: skip
        for row in rows:
            noise = rng.integers(0, 256, (70, 60), dtype=np.uint8)
            Image.fromarray(noise).save(tmp_path / row["path"])
        table = tmp_path / "labels.csv"
        with table.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        dls = dataloaders_from_manifest(
            read_manifest(table), RandomSplitter(0.5, seed=1), Resize(64), bs=4, path=tmp_path
        )
        return vision_learner(dls, "test_efficientnet", weights=None)

    return make


def as_given(path: Path) -> dict[str, object]:
    with Image.open(path) as image:
        image.load()
    pixels = np.asarray(image)
    return {
        "path": path,
        "text": str(path),
        "bytes": path.read_bytes(),
        "PIL": image,
        "array": pixels,
        "colour": np.stack([pixels] * 3, axis=2),
    }


TWO = [{"label": "NORMAL"}, {"label": "PNEUMONIA"}]
ODD = [{"label": name} for name in ("9", "10", 'say "ah", please', "Entzündung", "肺炎", "it's")]
SEVERAL = [{"Edema": "1", "Mass": "0"}, {"Edema": "0", "Mass": "1"}, {"Edema": "", "Mass": "1"}]


@pytest.mark.parametrize("labels", [TWO, ODD, SEVERAL], ids=["two", "odd names", "several"])
def test_the_exported_model_answers_as_the_learner(
    labels: Labels, learner_of: Callable[[Labels], Learner], tmp_path: Path
) -> None:
    learner = learner_of(labels)
    predictor = load_learner(learner.export())
    assert predictor.vocab == learner.dls.classes
    assert predictor.config.multi_label is (labels is SEVERAL)
    for item in as_given(tmp_path / "1.png").values():
        name, index, chances = learner.predict(item)
        found, found_index, found_chances = predictor.predict(item)
        assert found == name and torch.equal(found_index, index)
        assert torch.allclose(found_chances, chances, rtol=0, atol=1e-5)


def test_all_forms_of_one_image_are_one_image(
    learner_of: Callable[[Labels], Learner], tmp_path: Path
) -> None:
    predictor = load_learner(learner_of(TWO).export())
    answers = [predictor.predict(item)[2] for item in as_given(tmp_path / "2.png").values()]
    assert all(torch.equal(answer, answers[0]) for answer in answers)


def test_dicom_by_path_and_by_bytes(
    learner_of: Callable[[Labels], Learner], tmp_path: Path
) -> None:
    learner = learner_of(TWO)
    predictor = load_learner(learner.export())
    films = write_phantom(tmp_path / "images", n_images=1, format="dicom", size=96)
    (film,) = films.rglob("*.dcm")
    assert pydicom.dcmread(film).Modality
    expected = learner.predict(film)[2]
    for item in (film, film.read_bytes()):
        assert torch.allclose(predictor.predict(item)[2], expected, rtol=0, atol=1e-5)


def test_classes_keep_the_order_of_training(learner_of: Callable[[Labels], Learner]) -> None:
    learner = learner_of(ODD)
    assert list(learner.dls.classes) == sorted(row["label"] for row in ODD)
    assert learner.dls.classes[:2] == ("10", "9")  # text, not numbers
    predictor = load_learner(learner.export())
    with torch.no_grad():
        predictor.network.head[2].bias[1] += 100
    name, index, _ = predictor.predict(np.zeros((64, 64), np.uint8))
    assert (name, int(index)) == ("9", 1)


def test_two_exports_are_one_file(learner_of: Callable[[Labels], Learner]) -> None:
    learner = learner_of(TWO)
    first, second = learner.export("a.cxr"), learner.export("b.cxr")
    assert first != second and first.read_bytes() == second.read_bytes()


def test_temperature_and_softmax(write_model: Callable[..., Path]) -> None:
    predictor = load_learner(write_model(temperature=2.0))
    logits = torch.tensor([[1.0, 3.0]])
    raw, calibrated = (predictor.probabilities(logits, calibrated=c)[0, 1] for c in (False, True))
    assert float(raw) == pytest.approx(1 / (1 + np.exp(-2)))
    assert float(calibrated) == pytest.approx(1 / (1 + np.exp(-1)))


def test_the_decision_turns_at_the_threshold(write_model: Callable[..., Path]) -> None:
    predictor = load_learner(write_model(threshold=0.25))
    assert predictor.decision([0.75, 0.25]) == "PNEUMONIA"
    assert predictor.decision([0.7501, 0.2499]) == "NORMAL"
    first = load_learner(write_model(threshold=0.9, positive="NORMAL", name="first.cxr"))
    assert [first.decision([p, 1 - p]) for p in (0.89, 0.9)] == ["PNEUMONIA", "NORMAL"]


def test_without_a_positive_class_the_likeliest_is_taken(write_model: Callable[..., Path]) -> None:
    predictor = load_learner(write_model(classes=("a", "b", "c")))
    assert predictor.decision([0.3, 0.3, 0.4]) == "c"


def test_of_several_labels_all_from_one_half_on_are_taken(
    write_model: Callable[..., Path],
) -> None:
    predictor = load_learner(write_model(classes=("a", "b", "c"), multi_label=True))
    assert predictor.decision([0.5, 0.49, 0.9]) == "a; c"
    assert predictor.decision([0.1, 0.1, 0.1]) == ""
    assert float(predictor.probabilities(torch.zeros(1, 3)).sum()) == 1.5


def test_pixels_are_those_of_training(write_model: Callable[..., Path]) -> None:
    tall = np.zeros((200, 100), np.uint8)
    tall[:, 50:] = 255
    squished = load_learner(write_model()).pixels(tall)
    padded = load_learner(write_model(resize_method="pad", name="pad.cxr")).pixels(tall)
    assert squished.shape == padded.shape == (64, 64)
    assert squished[:, 60].min() == 255 and padded[:, 60].max() == 0


def test_a_bad_image_is_an_image_error(tiny_model: Path) -> None:
    with pytest.raises(ImageError, match="no known signature"):
        load_learner(tiny_model).predict(b"no image")


def test_a_pickle_from_fastai_is_refused_by_name(tmp_path: Path) -> None:
    file = io.BytesIO()
    torch.save({"model": torch.zeros(1)}, file)
    for name, data in (("export.pkl", file.getvalue()), ("model.cxr", pickle.dumps({}))):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(BundleError, match=f"{name} is refused: a Python pickle"):
            load_learner(tmp_path / name)
