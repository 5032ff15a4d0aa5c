"""The stress test as a whole, on models of random weights."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.metrics import roc_auc_score

from cxr._io import progress_disabled
from cxr.apply import load_learner
from cxr.apply.stress import PERTURBATIONS, Perturbation, choose_images, stress_test
from cxr.apply.stress.differences import FIGURES
from cxr.apply.stress.perturbations import black_frame
from cxr.apply.stress.views import Setting, views_of
from cxr.errors import DataError, UsageError
from cxr.find import Manifest, read_manifest
from cxr.find.phantom import write_phantom
from cxr.pixels import load_grey
from cxr.report.stress import stress_table, worst_line, write_stress

NAMES = [metric.name for metric in FIGURES]


# --- how far the figures move


# --- the choice of images


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    with progress_disabled():
        return read_manifest(
            write_phantom(tmp_path_factory.mktemp("images") / "phantom", n_images=40, size=72)
        )


@pytest.mark.parametrize("images", [5, 17, 39])
def test_whole_patients_are_chosen(images: int, manifest: Manifest) -> None:
    some = choose_images(manifest, images, seed=1)
    assert 0 < len(some) <= images
    assert some.table["path"].tolist() == choose_images(manifest, images, 1).table["path"].tolist()
    whole = manifest.table["patient"].value_counts()
    chosen = some.table["patient"].value_counts()
    assert chosen.to_dict() == whole[chosen.index].to_dict()


def test_other_seeds_other_patients_and_all_where_they_fit(manifest: Manifest) -> None:
    chosen = {tuple(choose_images(manifest, 17, seed).table["path"]) for seed in range(5)}
    assert len(chosen) > 1
    assert choose_images(manifest, 40, 0) is manifest


@pytest.mark.parametrize(("images", "said"), [(0, "images=0"), (2, "has 4 images, more than")])
def test_too_few_to_choose(images: int, said: str, manifest: Manifest) -> None:
    one = Manifest(
        manifest.table.head(4).assign(patient="same"),
        *(manifest.root, manifest.classes, manifest.multi_label, manifest.identity),
    )
    with pytest.raises(UsageError, match=said):
        choose_images(one, images, 0)


# --- the whole

FEW = (PERTURBATIONS[0], PERTURBATIONS[-1])  # brightness both ways, inversion


def test_the_whole(tiny_model: Path, manifest: Manifest, tmp_path: Path) -> None:
    predictor = load_learner(tiny_model)
    with progress_disabled():
        result = stress_test(predictor, manifest, model_name="m", perturbations=FEW)
    result = write_stress(result, tmp_path / "s")
    written = json.loads((tmp_path / "s" / "stress.json").read_text(encoding="utf-8"))
    assert written == result
    with Image.open(tmp_path / "s" / "stress.png") as picture:
        assert picture.format == "PNG"
    assert result["n"] == 40 and result["threshold"] == 0.4
    assert "not a medical device" in result["about"]["research_use_only"]
    assert result["trained_on"] == "not stated"
    assert {(c["name"], c["strength"]) for c in result["changes"]} == {
        ("brightness", "-40 of 255"), ("brightness", "+40 of 255"), ("inversion", "whole")
    }  # fmt: skip
    lost = [change["difference"]["accuracy"]["value"] for change in result["changes"]]
    assert lost == sorted(lost)
    assert result["strongest"]["settings"] == 3
    assert result["strongest"]["difference"]["accuracy"]["value"] == pytest.approx(np.mean(lost))
    for change in result["changes"]:
        for name in NAMES:
            moved = change[name]["value"] - result["plain"][name]["value"]
            assert change["difference"][name]["value"] == pytest.approx(moved)


def test_figures_are_those_of_the_model_on_changed_images(
    tiny_model: Path, manifest: Manifest
) -> None:
    predictor = load_learner(tiny_model)
    with progress_disabled():
        result = stress_test(predictor, manifest, perturbations=FEW[1:])
    inverted = np.stack([255 - predictor.pixels(path) for path in manifest.paths()])
    chances = predictor.probabilities(predictor.logits(inverted), calibrated=True)[:, 1].numpy()
    truth = np.array(manifest.labels()) == "PNEUMONIA"
    (change,) = result["changes"]
    assert change["auroc"]["value"] == pytest.approx(roc_auc_score(truth, chances))
    assert change["accuracy"]["value"] == pytest.approx(np.mean(truth == (chances >= 0.4)))


def test_of_a_model_that_sees_lungs_the_whole_image_is_changed(
    write_model: Callable[..., Path], manifest: Manifest, tmp_path: Path
) -> None:
    predictor = load_learner(write_model(frame="lungs"))
    framed = next(one for one in PERTURBATIONS if one.name == "black frame")
    with progress_disabled():
        result = stress_test(predictor, manifest, perturbations=(framed, PERTURBATIONS[-1]))
    truth = np.array(manifest.labels()) == "PNEUMONIA"
    by_words = {change["strength"]: change for change in result["changes"]}

    def measured(change: Callable[[np.ndarray], np.ndarray]) -> tuple[float, float]:
        seen = [predictor.framed(change(load_grey(path))) for path in manifest.paths()]
        logits = predictor.logits(np.stack([pixels for pixels, _ in seen]))
        chances = predictor.probabilities(logits, calibrated=True)[:, 1].numpy()
        return roc_auc_score(truth, chances), np.mean([not frame.found for _, frame in seen])

    rng = np.random.default_rng(0)
    for words, change in (
        ("whole", lambda image: 255 - image),
        ("10 % of the side", lambda image: black_frame(image[None], 0.1, rng)[0]),
    ):
        auroc, lost = measured(change)
        assert by_words[words]["auroc"]["value"] == pytest.approx(auroc)
        assert by_words[words]["no_lungs_found"]["value"] == pytest.approx(lost)
    assert by_words["whole"]["no_lungs_found"]["value"] > 0.9  # inverted
    assert result["plain"]["no_lungs_found"]["value"] < 0.2
    assert result["changed_at"].startswith("whole images, at most 512 pixels")
    # without rules, confidence is not judged
    assert by_words["whole"]["confident"]["value"] is None
    assert "no lungs found" in stress_table(write_stress(result, tmp_path / "s"))


def test_a_model_of_whole_images_looks_for_no_lungs(tiny_model: Path, manifest: Manifest) -> None:
    with progress_disabled():
        result = stress_test(load_learner(tiny_model), manifest, perturbations=FEW[1:])
    assert result["changes"][0]["no_lungs_found"]["value"] is None
    assert result["changed_at"] == "64 x 64 pixels, squish, of the whole image, after decoding"


def test_large_images_are_reduced_first(write_model: Callable[..., Path], tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(256, size=(300, 900), dtype=np.uint8)).save(tmp_path / "a.png")
    shapes = []

    def change(images: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
        shapes.append(images.shape)
        return images

    setting = Setting(Perturbation("none", change, {"x": 1.0}), "x")
    predictor = load_learner(write_model(frame="lungs"))
    views = views_of(predictor, tmp_path / "a.png", [setting], (0, 0))
    assert shapes == [(1, 171, 512)]
    assert np.array_equal(*views.pixels) and views.pixels.shape == (2, 64, 64)


def test_no_perturbation_is_refused(tiny_model: Path, manifest: Manifest) -> None:
    with pytest.raises(UsageError, match="no perturbation"):
        stress_test(load_learner(tiny_model), manifest, perturbations=())


def test_unreadable_images_are_counted(
    tiny_model: Path, manifest: Manifest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "data" / "NORMAL"
    folder.mkdir(parents=True)
    (folder / "bad.png").write_text("no image")
    predictor = load_learner(tiny_model)
    options = {"classes": predictor.config.classes}
    with pytest.raises(DataError, match=r"no image can be read \(first: .*bad\.png"):
        stress_test(predictor, read_manifest(folder.parent, **options))
    good = Path(manifest.paths()[0])
    (folder / good.name).write_bytes(good.read_bytes())
    result = stress_test(predictor, read_manifest(folder.parent, **options), perturbations=FEW)
    result = write_stress(result, tmp_path / "s")
    assert result["n"] == 1 and result["unreadable"] == 1
    assert "left out" in capsys.readouterr().err
    assert result["changes"][0]["difference"]["auroc"]["value"] is None
    assert "  -  " in stress_table(result)  # said as such, not as 0


def test_several_labels(
    write_model: Callable[..., Path], manifest: Manifest, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    flags = rng.integers(2, size=(len(manifest), 2))
    table = pd.DataFrame(
        {"path": manifest.table["path"], "Edema": flags[:, 0], "Mass": flags[:, 1]}
    )
    table.to_csv(tmp_path / "labels.csv", index=False)
    data = read_manifest(
        tmp_path / "labels.csv", image_root=manifest.root, label_columns=["Edema", "Mass"]
    )
    model = write_model(classes=("Edema", "Mass"), multi_label=True)
    with progress_disabled():
        result = stress_test(load_learner(model), data, perturbations=FEW)
    assert result["threshold"] == 0.5 and result["plain"]["auroc"]["value"] is not None


# --- words


def result_with(accuracy: dict[str, object]) -> dict[str, object]:
    change = {
        "name": "inversion",
        "strength": "whole",
        "accuracy": {"value": 0.4},
        "difference": {"accuracy": accuracy},
        "decisions_changed": {"value": 0.456},
    }
    return {"n": 50, "plain": {"accuracy": {"value": 0.95}}, "changes": [change]}


def test_the_sentence_on_the_worst() -> None:
    lost = result_with({"value": -0.55, "low": -0.6, "high": -0.5})
    assert worst_line(lost) == (
        "Worst: inversion (whole): accuracy falls from 0.950 to 0.400, a difference of -0.550 "
        "(-0.600 to -0.500); 46 % of the decisions change."
    )
    assert worst_line(result_with({"value": 0.0})) == "No change lost accuracy on these 50 images."
    assert "nothing can be said" in worst_line(result_with({"value": None}))
