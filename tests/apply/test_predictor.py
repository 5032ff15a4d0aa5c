from __future__ import annotations

import csv
import io
import pickle
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pydicom
import pytest
import torch
from PIL import Image

from cxr._io.extras import EXTRAS
from cxr.apply import load_learner, predict_files
from cxr.apply.onnx import onnx_bytes
from cxr.apply.predictor import ONNX, Predictor, load_predictor
from cxr.bundle import read_bundle
from cxr.bundle.write import rewrite
from cxr.errors import BundleError, ImageError, UnknownName, UsageError
from cxr.find import read_manifest
from cxr.find.phantom import write_phantom
from cxr.prepare import RandomSplitter, Resize, dataloaders_from_manifest
from cxr.train import Learner, vision_learner

WriteModel = Callable[..., Path]
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


@pytest.mark.parametrize("threshold", [0.0, 1.0])
def test_predict_decides_at_the_operating_threshold(
    threshold: float, write_model: WriteModel, films: list[Path]
) -> None:
    """As the command line and the page: not by the highest probability."""
    predictor = load_learner(write_model(threshold=threshold))
    expected = "PNEUMONIA" if threshold == 0 else "NORMAL"
    name, index, _ = predictor.predict(films[0])
    assert (name, predictor.vocab[int(index)]) == (expected, expected)
    (row,) = predict_files(predictor, films[:1])
    assert row["decision"] == expected and row["threshold_PNEUMONIA"] == threshold


def test_two_exports_are_one_file(learner_of: Callable[[Labels], Learner]) -> None:
    learner = learner_of(TWO)
    first, second = learner.export("a.cxr"), learner.export("b.cxr")
    assert first != second and first.read_bytes() == second.read_bytes()


def test_temperature_and_softmax(write_model: WriteModel) -> None:
    predictor = load_learner(write_model(temperature=2.0))
    logits = torch.tensor([[1.0, 3.0]])
    raw, calibrated = (predictor.probabilities(logits, calibrated=c)[0, 1] for c in (False, True))
    assert float(raw) == pytest.approx(1 / (1 + np.exp(-2)))
    assert float(calibrated) == pytest.approx(1 / (1 + np.exp(-1)))


def test_the_decision_turns_at_the_threshold(write_model: WriteModel) -> None:
    predictor = load_learner(write_model(threshold=0.25))
    assert predictor.decision([0.75, 0.25]) == "PNEUMONIA"
    assert predictor.decision([0.7501, 0.2499]) == "NORMAL"
    first = load_learner(write_model(threshold=0.9, positive="NORMAL", name="first.cxr"))
    assert [first.decision([p, 1 - p]) for p in (0.89, 0.9)] == ["PNEUMONIA", "NORMAL"]


def test_without_a_positive_class_the_likeliest_is_taken(write_model: WriteModel) -> None:
    predictor = load_learner(write_model(classes=("a", "b", "c")))
    assert predictor.decision([0.3, 0.3, 0.4]) == "c"


def test_of_several_labels_all_from_one_half_on_are_taken(
    write_model: WriteModel,
) -> None:
    predictor = load_learner(write_model(classes=("a", "b", "c"), multi_label=True))
    assert predictor.decision([0.5, 0.49, 0.9]) == "a; c"
    assert predictor.decision([0.1, 0.1, 0.1]) == ""
    assert float(predictor.probabilities(torch.zeros(1, 3)).sum()) == 1.5


def test_pixels_are_those_of_training(write_model: WriteModel) -> None:
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


def test_wrong_arguments(tiny_model: Path) -> None:
    predictor = load_learner(tiny_model)
    with pytest.raises(UsageError, match=r"uint8 \(32, 32\)"):
        predictor.heat_map(np.zeros((32, 32), np.uint8))
    with pytest.raises(UsageError, match="no class 2; there are 0 to 1: NORMAL, PNEUMONIA"):
        predictor.heat_map(np.zeros((64, 64), np.uint8), 2)


# What a slim install does not have.
ABSENT = list(EXTRAS["train"])


def with_onnx(model: Path, out: Path) -> Path:
    bundle = read_bundle(model)
    return rewrite(model, out, {ONNX: onnx_bytes(bundle.network, bundle.config)})


@pytest.fixture
def carrying(tiny_model: Path, tmp_path: Path) -> Path:
    return with_onnx(tiny_model, tmp_path / "carrying.cxr")


def stack(predictor: Predictor, films: list[Path]) -> np.ndarray:
    return np.stack([predictor.pixels(film) for film in films])


def test_both_runtimes_say_the_same(carrying: Path, films: list[Path]) -> None:
    ours, theirs = (load_predictor(carrying, runtime) for runtime in ("torch", "onnx"))
    assert (ours.runtime, theirs.runtime) == ("torch", "onnx")
    assert ours.digest == theirs.digest and len(ours.digest) == 64
    pixels = stack(ours, films)
    for mine, other in zip(ours.run(pixels), theirs.run(pixels), strict=True):
        np.testing.assert_allclose(mine, other, atol=1e-4)
    for mine, other in zip(ours.predictions(pixels), theirs.predictions(pixels), strict=True):
        assert mine.decision == other.decision and mine.reason == other.reason
        assert mine.calibrated == pytest.approx(other.calibrated, abs=1e-4)


def test_a_record_is_what_the_predictor_says(tiny_model: Path, films: list[Path]) -> None:
    predictor, predictor = load_predictor(tiny_model), load_learner(tiny_model)
    for record, film in zip(predictor.predictions(stack(predictor, films)), films, strict=True):
        logits = predictor.logits(predictor.pixels(film)[None])
        calibrated = predictor.probabilities(logits, calibrated=True)[0].tolist()
        assert record.decision == predictor.predict(film)[0]
        assert record.decision == predictor.decision(calibrated)
        assert list(record.calibrated.values()) == pytest.approx(calibrated, abs=1e-6)
        assert record.probability == record.calibrated["PNEUMONIA"]


def test_a_prevalence_changes_what_is_told_and_not_what_is_decided(
    write_model: WriteModel, films: list[Path]
) -> None:
    predictor = load_predictor(write_model(training_data={"prevalence": 0.5}))
    pixels = stack(predictor, films)
    for plain, rare in zip(
        predictor.predictions(pixels), predictor.predictions(pixels, 0.01), strict=True
    ):
        assert rare.probability < plain.probability
        assert (rare.decision, rare.reason) == (plain.decision, plain.reason)


def test_auto_takes_what_the_file_holds(tiny_model: Path, carrying: Path) -> None:
    assert load_predictor(tiny_model).runtime == "torch"
    assert load_predictor(carrying).runtime == "onnx"
    assert load_predictor(tiny_model, "onnx").runtime == "onnx"  # translated on the spot


@pytest.mark.parametrize("runtime", ["torch", "onnx"])
def test_heat_is_a_map_of_the_finding(runtime: str, carrying: Path, films: list[Path]) -> None:
    predictor = load_predictor(carrying, runtime)
    heat, explained, method = predictor.heat_map(predictor.pixels(films[0]))
    assert heat.shape == (64, 64) and heat.dtype == np.float32
    assert heat.min() >= 0 and heat.max() in (0, 1)
    assert explained == "PNEUMONIA" and ("occlusion" in method) == (runtime == "onnx")


def test_another_network_in_the_file_fails_the_self_test(
    carrying: Path, write_model: WriteModel, tmp_path: Path
) -> None:
    other = read_bundle(write_model("test_resnet"))
    mixed = rewrite(
        carrying, tmp_path / "mixed.cxr", {ONNX: onnx_bytes(other.network, other.config)}
    )
    with pytest.raises(BundleError, match=r"mixed\.cxr is refused: self-test failed"):
        load_predictor(mixed)


def test_wrong_names(tiny_model: Path, tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="tensorrt"):
        load_predictor(tiny_model, "tensorrt")
    with pytest.raises(UsageError, match="no model file"):
        load_predictor(tmp_path / "none.cxr")


def without(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Runs `code` in a Python that has nothing of ABSENT."""
    absent = f"import sys\nfor name in {ABSENT}: sys.modules[name] = None\n"
    command = [sys.executable, "-c", absent + code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


def test_a_slim_install_reads_images(carrying: Path, films: list[Path]) -> None:
    code = """
from cxr.apply.predictor import load_predictor
predictor = load_predictor(sys.argv[1])
pixels = predictor.pixels(sys.argv[2])
predictor.heat_map(pixels)
sys.stdout.write(f"{predictor.predictions(pixels[None])[0].probability:.6f}")
"""
    done = without(code, carrying, films[0])
    assert done.stderr == ""
    predictor = load_predictor(carrying)
    (record,) = predictor.predictions(predictor.pixels(films[0])[None])
    assert done.stdout == f"{record.probability:.6f}"


def test_a_slim_install_says_what_a_file_lacks(tiny_model: Path) -> None:
    code = """
from cxr.apply.predictor import load_predictor
from cxr.errors import BundleError
try:
    load_predictor(sys.argv[1])
except BundleError as error:
    sys.stdout.write(str(error))
"""
    said = without(code, tiny_model).stdout
    assert "holds no model.onnx" in said and "cxr export model.cxr --onnx" in said
