"""Each perturbation by its properties, and some by hand."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageOps

from cxr._io import progress_disabled
from cxr.apply.stress import PERTURBATIONS, Perturbation
from cxr.apply.stress import perturbations as each
from cxr.find.phantom import write_phantom

by_name = pytest.mark.parametrize("one", PERTURBATIONS, ids=lambda one: one.name)


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    """Five phantom images, 64 x 48: not square, so that height and width cannot be mixed up."""
    from cxr.find import get_image_files
    from cxr.pixels import load_grey

    with progress_disabled():
        folder = write_phantom(tmp_path_factory.mktemp("p") / "phantom", n_images=5, size=96)
    return np.stack([load_grey(path, (64, 48)) for path in get_image_files(folder)])


@by_name
def test_shape_and_type_stay_and_the_images_given_too(
    one: Perturbation, images: np.ndarray
) -> None:
    before = images.copy()
    for strength in one.strengths.values():
        changed = one.change(images, strength, rng())
        assert changed.shape == images.shape and changed.dtype == np.uint8
        assert not np.shares_memory(changed, images)
    assert np.array_equal(images, before)


@by_name
def test_zero_strength_changes_nothing(one: Perturbation, images: np.ndarray) -> None:
    assert np.array_equal(one.change(images, 0, rng()), images)


@by_name
def test_more_strength_changes_more(one: Perturbation, images: np.ndarray) -> None:
    for sign in (1, -1):
        values = sorted(sign * v for v in one.strengths.values() if sign * v > 0)
        moved = [
            np.abs(one.change(images, sign * v, rng()).astype(float) - images).mean()
            for v in values
        ]
        assert all(amount > 0.05 for amount in moved) and moved == sorted(set(moved))


@by_name
def test_the_same_seed_gives_the_same_images(one: Perturbation, images: np.ndarray) -> None:
    for strength in one.strengths.values():
        first, again = (one.change(images, strength, rng()) for _ in range(2))
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
    assert sum(map(len, settings.values())) == 21
    assert settings["aspect"] == ("15 % longer", "15 % wider")
    assert settings["JPEG"] == ("quality 10",) and settings["blur"] == ("2 % of the side",)


@by_name
def test_one_image_alone_is_changed_too(one: Perturbation, images: np.ndarray) -> None:
    """Of one image none may be turned to the other side."""
    for strength in one.strengths.values():
        alone = one.change(images[:1], strength, rng())
        assert alone.shape == (1, 64, 48) and (alone != images[:1]).any()


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


def test_equalisation_is_that_of_pillow(images: np.ndarray) -> None:
    """Pillow rounds its steps down to whole pixels, hence a few levels."""
    ours = each.equalisation(images, 1, rng()).astype(int)
    theirs = [np.asarray(ImageOps.equalize(Image.fromarray(picture))) for picture in images]
    assert np.abs(ours - np.stack(theirs)).mean() < 3


def test_equalisation_of_one_grey_level_is_left() -> None:
    flat = np.full((1, 8, 8), 77, np.uint8)
    assert np.array_equal(each.equalisation(flat, 1, rng()), flat)


def test_jpeg_has_the_quality_that_it_states(images: np.ndarray) -> None:
    """The nearest of Pillow's qualities; not equal, as the two round their cosines otherwise."""
    ours = each.jpeg(images, 70, rng())
    off = {}
    for quality in (20, 25, 30, 35, 40):
        theirs = []
        for picture in images:
            file = io.BytesIO()
            Image.fromarray(picture).save(file, "JPEG", quality=quality)
            theirs.append(np.asarray(Image.open(file)).astype(int))
        off[quality] = np.abs(np.stack(theirs) - ours).mean()
    assert min(off, key=lambda quality: off[quality]) == 30


def test_rotation_is_that_of_pillow_inside(images: np.ndarray) -> None:
    square = images[:, :48]
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
    change: each.Change, level: int, images: np.ndarray
) -> None:
    framed = change(images, 0.125, rng())  # 8 rows, 6 columns
    inner = np.zeros(framed.shape[1:], bool)
    inner[8:-8, 6:-6] = True
    assert (framed[:, ~inner] == level).all()
    assert framed[:, inner].mean() == pytest.approx(images.mean(), abs=1)


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


def test_a_shift_moves_each_image_its_own_way_over_black() -> None:
    images = np.arange(1, 201, dtype=np.uint8).reshape(2, 10, 10)
    many = np.concatenate([images] * 20)
    changed = each.shift(many, 0.2, rng())
    corners = set()
    for image, moved in zip(many, changed, strict=True):
        rows, columns = (np.flatnonzero((moved > 0).any(axis=axis)) for axis in (1, 0))
        assert len(rows) == len(columns) == 8
        corners.add((rows[0], columns[0]))
        top, left = 2 - rows[0], 2 - columns[0]  # of what is left of the image
        assert np.array_equal(
            moved[rows[0] :, columns[0] :][:8, :8], image[top : top + 8, left : left + 8]
        )
    assert corners == {(0, 0), (0, 2), (2, 0), (2, 2)}
