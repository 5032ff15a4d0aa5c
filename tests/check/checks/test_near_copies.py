from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cxr.check.checks.near_copies import check_near_copies, find_near_copies
from cxr.find.phantom import PhantomSpec, image_indices, render_image
from cxr.pixels import load_grey

SIDE = 128


@pytest.fixture(scope="module")
def images() -> list[Image.Image]:
    """One image of each of 24 patients."""
    spec = PhantomSpec(seed=3, size=160)
    first = {patient: (patient, i) for patient, i in reversed(list(image_indices(spec, 60)))}
    return [Image.fromarray(render_image(*index, spec).pixels) for index in [*first.values()][:24]]


def square(image: Image.Image) -> np.ndarray:
    return load_grey(image, SIDE)


def jpeg(image: Image.Image, quality: int) -> Image.Image:
    file = BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(file)


def lit(image: Image.Image, gain: float, gamma: float) -> Image.Image:
    return image.point([min(255, round(255 * gain * (k / 255) ** gamma)) for k in range(256)])


def moved(image: Image.Image, share: float, fill: str) -> Image.Image:
    pixels = np.asarray(image)
    down, right = (round(share * side) for side in pixels.shape)
    return Image.fromarray(np.pad(pixels, ((down, 0), (right, 0)), mode=fill)[:-down, :-right])


def cropped(image: Image.Image, share: float) -> Image.Image:
    width, height = image.size
    return image.crop((round(share * width), 0, width, round((1 - share) * height)))


CHANGES = {
    "re-encoded": lambda image: jpeg(image, 30),
    "smaller": lambda image: image.resize([side // 2 + 20 for side in image.size]),
    "larger": lambda image: image.resize([side * 2 for side in image.size]),
    "brighter": lambda image: lit(image, 1.3, 1),
    "darker": lambda image: lit(image, 0.6, 1),
    "gamma": lambda image: lit(image, 1, 1.4),
    "shifted, black": lambda image: moved(image, 0.03, "constant"),
    "shifted, border": lambda image: moved(image, 0.03, "edge"),
    "cropped": lambda image: cropped(image, 0.04),
}


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_copy_is_found_and_nothing_else(images, name, mirrored):
    changed = CHANGES[name](images[7])
    if mirrored:
        changed = changed.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    squares = np.stack([square(image) for image in [*images, changed]])
    (found,) = find_near_copies(squares, np.arange(len(squares)))
    assert (found.first, found.second, found.mirrored) == (7, len(images), mirrored)
    assert 0.9 <= found.similarity <= 1


def test_the_shift_is_measured(images):
    squares = np.stack([square(image) for image in images])
    copy = np.roll(squares[3], (4, -3), (0, 1))
    (found,) = find_near_copies(np.stack([*squares, copy]), np.arange(len(squares) + 1))
    assert found.shift == pytest.approx((4 / SIDE, -3 / SIDE), abs=0.2 / SIDE)


@pytest.mark.parametrize("n", [2, 3, 5])
def test_tiny_sets(images, n):
    squares = [square(image) for image in images[: n - 1]]
    squares = np.stack([*squares, square(CHANGES["darker"](images[0]))])
    found = find_near_copies(squares, np.arange(n))
    assert [(copy.first, copy.second) for copy in found] == [(0, n - 1)]
    assert find_near_copies(squares[: n - 1], np.arange(n - 1)) == []
    assert find_near_copies(squares, np.arange(0)) == []


def test_only_the_rows_asked_for(images):
    squares = np.stack([square(image) for image in [images[0], images[0], images[1], images[0]]])
    found = find_near_copies(squares, np.array([1, 2, 3]))
    assert [(copy.first, copy.second) for copy in found] == [(1, 3)]


def test_blank_images_and_noise_are_nobodys_copies(images):
    rng = np.random.default_rng(0)
    blank = rng.integers(7, 10, (200, SIDE, SIDE))
    noise = rng.integers(0, 256, (50, SIDE, SIDE))
    squares = np.stack([*map(square, images), *blank, *noise]).astype(np.uint8)
    assert find_near_copies(squares, np.arange(len(squares))) == []


def test_pairs_grow_no_faster_than_images(images):
    rng = np.random.default_rng(0)
    same = np.clip(square(images[0]) + rng.integers(0, 3, (300, SIDE, SIDE)), 0, 255)
    found = find_near_copies(same.astype(np.uint8), np.arange(300))
    assert 299 <= len(found) <= 4 * 300


def write(data: Path, images: dict[str, Image.Image]) -> Path:
    for name, image in images.items():
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        image.save(data / name)
    return data


def test_within_a_label(images, scan_of, tmp_path):
    names = {f"A/{i}.png": images[i] for i in range(4)} | {"B/4.png": images[4]}
    data = write(tmp_path, names | {"A/x.png": moved(images[2], 0.03, "edge")})
    (found,) = check_near_copies(scan_of(data))
    assert (found.code, found.severity, found.path) == ("near-copy", "warning", Path("A/x.png"))
    assert found.message == "A/x.png shows the same image as A/2.png"
    evidence = dict(found.evidence)
    assert evidence.pop("similarity") > 0.9
    assert evidence.pop("shift") == pytest.approx([3, 3], abs=0.5)
    assert [image["path"] for image in evidence.pop("examples")] == ["A/2.png", "A/x.png"]
    assert evidence == {"copies": ["A/2.png"], "n_copies": 1, "mirrored": False}


def test_across_labels_and_splits(images, scan_of, tmp_path):
    names = {f"train/A/{i}.png": images[i] for i in range(3)} | {"val/B/3.png": images[3]}
    darker = CHANGES["darker"](images[0])
    mirror = images[1].transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    copies = {"train/B/0.png": darker, "val/A/1.png": mirror}
    found = check_near_copies(scan_of(write(tmp_path, names | copies)))
    assert {finding.path.as_posix(): finding.code for finding in found} == {
        "train/B/0.png": "near-copy-across-labels",
        "val/A/1.png": "near-copy-across-splits",
    }
    assert found[0].message == (
        "train/B/0.png shows the same image as train/A/0.png, with another label"
    )
    assert found[1].message == (
        "val/A/1.png shows the same image as train/A/1.png, mirrored, "
        "on the other side of the split"
    )


def test_exact_copies_are_left_to_their_own_check(images, scan_of, tmp_path):
    names = {"A/1.png": images[0], "A/2.png": images[0], "B/3.png": images[1], "B/4.bmp": images[0]}
    assert check_near_copies(scan_of(write(tmp_path, names))) == []


def test_an_image_with_several_copies(images, scan_of, tmp_path):
    names = {"A/1.png": images[0], "B/2.png": images[1]}
    copies = {f"A/c{k}.jpg": jpeg(images[0], quality) for k, quality in enumerate((90, 60, 30))}
    found = check_near_copies(scan_of(write(tmp_path, names | copies)))
    assert sorted(finding.path.name for finding in found) == ["c0.jpg", "c1.jpg", "c2.jpg"]
    assert all(finding.evidence["n_copies"] == 3 for finding in found)


def test_real_images(shared_data):
    """300 of them, no two the same; of 60 a copy with much changed at once."""
    paths = sorted((shared_data / "kermany224").rglob("*.jpeg"))[::17][:300]
    images = []
    for path in paths:
        with Image.open(path) as image:
            images.append(image.convert("L"))
    squares = np.stack([square(image) for image in images])
    assert find_near_copies(squares, np.arange(len(squares))) == []
    changes = list(CHANGES.values())
    copies = [jpeg(changes[k % len(changes)](images[5 * k]), 50) for k in range(60)]
    squares = np.concatenate([squares, np.stack([square(image) for image in copies])])
    found = find_near_copies(squares, np.arange(len(squares)))
    assert {(copy.first, copy.second) for copy in found} == {(5 * k, 300 + k) for k in range(60)}
