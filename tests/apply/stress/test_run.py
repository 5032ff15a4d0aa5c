"""Each perturbation by its properties, and the test as a whole on models of random weights."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageOps
from sklearn.metrics import accuracy_score, recall_score, roc_auc_score

from cxr._io import progress_disabled
from cxr.apply import load_learner
from cxr.apply.stress import PERTURBATIONS, Perturbation, choose_images, stress_test
from cxr.apply.stress import perturbations as each
from cxr.apply.stress.moves import FIGURES, measure_moves
from cxr.errors import DataError, UsageError
from cxr.evaluate import Predictions, make_predictions, measure
from cxr.find import Manifest, read_manifest
from cxr.find.phantom import write_phantom
from cxr.report.stress import stress_table, worst_line, write_stress

SIZE = 64
NAMES = [metric.name for metric in FIGURES]
by_name = pytest.mark.parametrize("one", PERTURBATIONS, ids=lambda one: one.name)


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    """Five phantom images, 64 x 48: not square, so that height and width cannot be mixed up."""
    from cxr.find import get_image_files
    from cxr.pixels import load_grey

    with progress_disabled():
        folder = write_phantom(tmp_path_factory.mktemp("p") / "phantom", n_images=5, size=96)
    return np.stack([load_grey(path, (64, 48)) for path in get_image_files(folder)])


@by_name
def test_shape_and_type_stay_and_the_images_given_too(
    one: Perturbation, pictures: np.ndarray
) -> None:
    before = pictures.copy()
    for strength in one.strengths.values():
        changed = one.change(pictures, strength, rng())
        assert changed.shape == pictures.shape and changed.dtype == np.uint8
        assert not np.shares_memory(changed, pictures)
    assert np.array_equal(pictures, before)


@by_name
def test_zero_strength_changes_nothing(one: Perturbation, pictures: np.ndarray) -> None:
    assert np.array_equal(one.change(pictures, 0, rng()), pictures)


@by_name
def test_more_strength_changes_more(one: Perturbation, pictures: np.ndarray) -> None:
    for sign in (1, -1):
        values = sorted(sign * v for v in one.strengths.values() if sign * v > 0)
        moved = [
            np.abs(one.change(pictures, sign * v, rng()).astype(float) - pictures).mean()
            for v in values
        ]
        assert all(amount > 0.05 for amount in moved) and moved == sorted(set(moved))


@by_name
def test_the_same_seed_gives_the_same_images(one: Perturbation, pictures: np.ndarray) -> None:
    for strength in one.strengths.values():
        first, again = (one.change(pictures, strength, rng()) for _ in range(2))
        assert np.array_equal(first, again)


def test_names_and_words_are_unique() -> None:
    assert len({one.name for one in PERTURBATIONS}) == len(PERTURBATIONS)
    assert all(1 <= len(one.strengths) <= 3 for one in PERTURBATIONS)


def test_the_strongest_is_farthest_from_nothing_each_way() -> None:
    both, up, down = (
        Perturbation("", each.brightness, {str(v): v for v in values})
        for values in ((-40, -10, 20), (10, 40), (-10, -40))
    )
    assert [one.strongest for one in (both, up, down)] == [("-40", "20"), ("40",), ("-40",)]
    settings = {one.name: one.strongest for one in PERTURBATIONS}
    assert sum(map(len, settings.values())) == 20
    assert settings["aspect"] == ("15 % longer", "15 % wider")
    assert settings["JPEG"] == ("quality 10",) and settings["blur"] == ("2 % of the side",)


@by_name
def test_one_image_alone_is_changed_too(one: Perturbation, pictures: np.ndarray) -> None:
    """Of one image none may be turned to the other side."""
    for strength in one.strengths.values():
        alone = one.change(pictures[:1], strength, rng())
        assert alone.shape == (1, 64, 48) and (alone != pictures[:1]).any()


def test_grey_levels_by_hand() -> None:
    grey = np.array([[[0, 100, 200, 250]]], np.uint8)
    assert each.brightness(grey, 40, rng()).tolist() == [[[40, 140, 240, 255]]]
    assert each.inversion(grey, 1, rng()).tolist() == [[[255, 155, 55, 5]]]
    squared = np.rint(255 * (grey / 255.0) ** 2).astype(int)
    assert each.gamma(grey, 1, rng()).tolist() == squared.tolist()
    # the mean is 137.5
    assert each.contrast(grey, -1, rng()).tolist() == [[[69, 119, 169, 194]]]


def test_noise_has_the_spread_that_it_states() -> None:
    grey = np.full((4, 128, 128), 128, np.uint8)
    assert each.noise(grey, 10, rng()).std() == pytest.approx(10, abs=0.1)


def test_equalisation_is_that_of_pillow(pictures: np.ndarray) -> None:
    """Pillow rounds its steps down to whole pixels, hence a few levels."""
    ours = each.equalisation(pictures, 1, rng()).astype(int)
    theirs = [np.asarray(ImageOps.equalize(Image.fromarray(picture))) for picture in pictures]
    assert np.abs(ours - np.stack(theirs)).mean() < 3


def test_equalisation_of_one_grey_level_is_left() -> None:
    flat = np.full((1, 8, 8), 77, np.uint8)
    assert np.array_equal(each.equalisation(flat, 1, rng()), flat)


def test_jpeg_has_the_quality_that_it_states(pictures: np.ndarray) -> None:
    """The nearest of Pillow's qualities; not equal, as the two round their cosines otherwise."""
    ours = each.jpeg(pictures, 70, rng())
    off = {}
    for quality in (20, 25, 30, 35, 40):
        theirs = []
        for picture in pictures:
            file = io.BytesIO()
            Image.fromarray(picture).save(file, "JPEG", quality=quality)
            theirs.append(np.asarray(Image.open(file)).astype(int))
        off[quality] = np.abs(np.stack(theirs) - ours).mean()
    assert min(off, key=lambda quality: off[quality]) == 30


def test_rotation_is_that_of_pillow_inside(pictures: np.ndarray) -> None:
    square = pictures[:, :48]
    changed = each.rotation(square, 10, rng())
    turned = set()
    for picture, ours in zip(square, changed, strict=True):
        theirs = {
            a: np.asarray(Image.fromarray(picture).rotate(a, Image.Resampling.BILINEAR))
            for a in (10, -10)
        }
        inner = slice(12, 36)
        off = {
            a: np.abs(t[inner, inner].astype(int) - ours[inner, inner]).mean()
            for a, t in theirs.items()
        }
        turned.add(min(off, key=lambda a: off[a]))
        assert min(off.values()) < 1
    assert turned == {10, -10}  # both directions are met


@pytest.mark.parametrize(("change", "level"), [(each.black_frame, 0), (each.white_frame, 255)])
def test_a_frame_lies_around_the_whole_image(
    change: each.Change, level: int, pictures: np.ndarray
) -> None:
    framed = change(pictures, 0.125, rng())  # 8 rows, 6 columns
    inner = np.zeros(framed.shape[1:], bool)
    inner[8:-8, 6:-6] = True
    assert (framed[:, ~inner] == level).all()
    assert framed[:, inner].mean() == pytest.approx(pictures.mean(), abs=1)


def test_cropping_and_aspect_take_the_middle() -> None:
    ramp = np.tile(np.arange(0, 240, 4, dtype=np.uint8), (1, 60, 1))  # greys tell the columns
    cropped = each.cropped_edges(ramp, 0.1, rng())
    assert (cropped.min(), cropped.max()) == (6 * 4, 53 * 4)
    assert np.array_equal(each.aspect(ramp, -0.15, rng()), ramp)  # longer: rows alone are cut
    wider = each.aspect(ramp, 0.15, rng())
    assert (wider.min(), wider.max()) == (4 * 4, 55 * 4)


def test_the_marker_is_a_letter_in_an_upper_corner() -> None:
    black = np.zeros((40, 100, 100), np.uint8)
    marked = each.corner_marker(black, 0.15, rng())
    assert set(np.unique(marked)) == {0, 255}
    assert not marked[:, 20:].any() and not marked[:, :, 20:80].any()
    right = marked[:, :, 80:].any(axis=(1, 2))
    assert 5 < right.sum() < 35 and (right != marked[:, :, :20].any(axis=(1, 2))).all()
    # L and R both begin with an upright stroke on the left, wherever they stand
    for picture in marked:
        columns = np.flatnonzero(picture.any(axis=0))
        assert (picture[4:19, columns[0]] == 255).all()
        assert not (picture[4:19, columns[-1]] == 255).all()


# --- how far the figures move


def simulated(classes: tuple[str, ...], noise: float, seed: int = 0) -> Predictions:
    rng = np.random.default_rng(seed)
    patient = rng.integers(80, size=200)
    truth = rng.integers(len(classes), size=80)[patient]
    logits = rng.normal(size=(200, len(classes)))
    logits[np.arange(200), truth] += 1.5
    logits += noise * np.random.default_rng(9).normal(size=logits.shape)
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return make_predictions([str(i) for i in range(200)], p, truth, classes, patients=patient)


def labelled(noise: float) -> Predictions:
    rng = np.random.default_rng(0)
    truth = (rng.random((120, 3)) < 0.4).astype(float)
    truth[rng.random(truth.shape) < 0.2] = np.nan
    truth[:, 2] = np.where(np.isnan(truth[:, 2]), np.nan, 0.0)  # nobody has the third
    logits = np.nan_to_num(truth) * 2 - 1 + rng.normal(size=truth.shape)
    logits += noise * rng.normal(size=truth.shape)
    p = 1 / (1 + np.exp(-logits))
    return make_predictions([str(i) for i in range(120)], p, truth, ("a", "b", "c"))


def test_two_classes_equal_scikit_learn() -> None:
    plain, changed = (simulated(("no", "yes"), noise) for noise in (0, 2))
    moves = measure_moves(plain, [changed, plain], 0.3)
    scores = changed.probabilities[:, 1]
    decided, truth = scores >= 0.3, changed.targets == 1
    wanted = {
        "accuracy": accuracy_score(truth, decided),
        "auroc": roc_auc_score(truth, scores),
        "sensitivity": recall_score(truth, decided),
        "specificity": recall_score(~truth, ~decided),
    }
    figures = moves.figures(0)
    assert {name: figures[name]["value"] for name in NAMES} == pytest.approx(wanted)
    before = measure(plain, 0.3)
    for name, difference in moves.differences([0]).items():
        assert difference["value"] == pytest.approx(wanted[name] - before[name]["value"])
        assert difference["low"] < difference["value"] < difference["high"]
    share = moves.decisions_changed(0)
    assert share["value"] == np.mean(decided != (plain.probabilities[:, 1] >= 0.3))
    # images that do not change move nothing, and no interval pretends otherwise
    assert {d["value"] for d in moves.differences([1]).values()} == {0.0}
    assert moves.decisions_changed(1)["value"] == 0
    halves = moves.differences([0, 1])["accuracy"]["value"]
    assert halves == pytest.approx(moves.differences([0])["accuracy"]["value"] / 2)


def test_the_interval_is_that_of_a_bootstrap_by_hand() -> None:
    plain, changed = (simulated(("no", "yes"), noise) for noise in (0, 1))
    found = measure_moves(plain, [changed], 0.5, resamples=2000).differences([0])["accuracy"]
    groups, generator = plain.patient_groups, np.random.default_rng(7)
    moved = (changed.decide() == changed.targets).astype(float) - (plain.decide() == plain.targets)
    means = []
    for _ in range(2000):
        drawn = generator.integers(groups.max() + 1, size=groups.max() + 1)
        means.append(np.concatenate([moved[groups == g] for g in drawn]).mean())
    low, high = np.quantile(means, [0.025, 0.975])
    assert (found["low"], found["high"]) == pytest.approx((low, high), abs=0.012)


@pytest.mark.parametrize(
    "side", [lambda noise: simulated(("a", "b", "c"), noise), labelled], ids=["classes", "labels"]
)
def test_several_classes_and_labels_agree_with_evaluate(
    side: Callable[[float], Predictions],
) -> None:
    plain, changed = side(0), side(2)
    moves = measure_moves(plain, [changed], 0.5)
    figures, wanted = moves.figures(0), measure(changed, 0.5, resamples=100)
    for name in NAMES:
        assert figures[name]["value"] == pytest.approx(wanted[name]["value"])
    differs = plain.decide() != changed.decide()
    some = differs.any(axis=1) if differs.ndim == 2 else differs
    assert moves.decisions_changed(0)["value"] == some.mean()


def test_one_class_alone_leaves_figures_undefined() -> None:
    p = np.random.default_rng(0).random(20)
    plain = make_predictions([str(i) for i in range(20)], np.c_[1 - p, p], [0] * 20, ("no", "yes"))
    found = measure_moves(plain, [plain], 0.5).differences([0])
    assert found["auroc"] == {"value": None, "reason": "all images are of one class; it needs both"}
    assert found["sensitivity"]["value"] is None and found["specificity"]["value"] == 0


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
