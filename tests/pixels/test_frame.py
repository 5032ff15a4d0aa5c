"""The lung frame holds the lungs, says when there are none, and is cut at full detail."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw

from cxr.errors import UnknownName
from cxr.find import get_image_files
from cxr.find.phantom import PhantomSpec, image_indices, lung_mask, render_image
from cxr.pixels import WHOLE, LungFrame, frame, load_framed, load_grey, locate_lungs, locate_many
from cxr.pixels.resize import cut, resize

SPEC = PhantomSpec(size=160, seed=5)  # the locator learnt from another seed
N = 40

GOLDEN = [[145, 104, 855, 935], [133, 100, 841, 990], [97, 1, 878, 1024], [143, 87, 876, 1004]]

Images = list[np.ndarray]


@pytest.fixture(scope="module")
def chests() -> tuple[Images, Images]:
    """Images, and their lungs as bool (H, W)."""
    indices = image_indices(SPEC, N)
    images = [render_image(patient, image, SPEC).pixels for patient, image in indices]
    return images, [lung_mask(patient, image, SPEC) for patient, image in indices]


def box_of(mask: np.ndarray) -> np.ndarray:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    edges = [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
    return np.array(edges) / [*mask.shape[::-1], *mask.shape[::-1]]


def inside(found: LungFrame, mask: np.ndarray) -> float:
    """The share of the lungs in the box."""
    height, width = mask.shape
    rows = slice(round(found.y0 * height), round(found.y1 * height))
    return float(mask[rows, round(found.x0 * width) : round(found.x1 * width)].sum() / mask.sum())


def overlap(found: LungFrame, mask: np.ndarray) -> float:
    """Of the box and the one around the lungs: intersection over union."""
    box, true = np.array(found.box), box_of(mask)
    common = np.prod(np.maximum(np.minimum(box, true)[2:] - np.maximum(box, true)[:2], 0))
    areas = sum(np.prod(one[2:] - one[:2]) for one in (box, true))
    return float(common / (areas - common))


def rotated(angle: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda image: np.asarray(Image.fromarray(image).rotate(angle, Image.Resampling.BILINEAR))


def bordered(image: np.ndarray) -> np.ndarray:
    height, width = image.shape
    return np.pad(image, ((height // 8, height // 10), (width // 10, width // 8)))


def exposed(gamma: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda image: ((image / 255) ** gamma * 255).astype(np.uint8)


def with_text(image: np.ndarray) -> np.ndarray:
    drawn = Image.fromarray(image)
    draw = ImageDraw.Draw(drawn)
    for line, words in enumerate(["R", "PORTABLE AP SUPINE", "12:35 85 kV 2.5 mAs"]):
        draw.text((6, 6 + 11 * line), words, fill=255)
    return np.asarray(drawn)


def unchanged(image: np.ndarray) -> np.ndarray:
    return image


CHANGES = {
    "as it is": (unchanged, unchanged),
    "tilted": (rotated(10), rotated(10)),
    "tilted the other way": (rotated(-10), rotated(-10)),
    "black borders": (bordered, bordered),
    "dark": (exposed(2.0), unchanged),
    "bright": (exposed(0.5), unchanged),
    "text": (with_text, unchanged),
    "mirrored": (np.fliplr, np.fliplr),
}


@pytest.mark.parametrize("name", CHANGES)
def test_the_box_holds_the_lungs_of_phantoms(chests: tuple[Images, Images], name: str) -> None:
    change, follow = CHANGES[name]
    masks = [follow(mask.astype(np.uint8) * 255) > 127 for mask in chests[1]]
    frames = [locate_lungs(np.ascontiguousarray(change(image))) for image in chests[0]]
    pairs = [(one, mask) for one, mask in zip(frames, masks, strict=True) if one.found]
    assert len(pairs) >= 0.95 * N
    errors = [np.abs(np.array(one.box) - box_of(mask)).mean() for one, mask in pairs]
    assert np.mean(errors) < 0.04
    assert np.mean([overlap(one, mask) for one, mask in pairs]) > 0.8
    held = [inside(one, mask) for one, mask in pairs]
    assert np.mean(held) > 0.985 and np.min(held) > 0.9


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        (lambda image: 255 - image, "inverted"),
        (lambda image: np.rot90(image, 1), "turned"),
        (lambda image: np.rot90(image, 2), "turned"),
        (lambda image: np.rot90(image, 3), "turned"),
    ],
)
def test_turned_and_inverted_images_say_so(
    chests: tuple[Images, Images], change: Callable[[np.ndarray], np.ndarray], finding: str
) -> None:
    frames = [locate_lungs(np.ascontiguousarray(change(image))) for image in chests[0]]
    assert np.mean([one.finding == finding for one in frames]) >= 0.95
    assert not any(one.found for one in frames)
    assert all(one.box == WHOLE.box for one in frames)


def test_what_is_no_chest_has_no_lungs(chests: tuple[Images, Images]) -> None:
    rng = np.random.default_rng(0)
    left, right = (resize(image, 160) for image in chests[0][:2])
    ramp = np.tile(np.arange(256, dtype=np.uint8), (256, 1))
    nothing = {
        "black": np.zeros((200, 200), np.uint8),
        "white": np.full((200, 200), 255, np.uint8),
        "strip": np.tile(left, (1, 20)),
        "tall strip": np.tile(left[:, :32], (10, 1)),
        "noise": rng.integers(0, 256, (256, 256), dtype=np.uint8),
        "ramp": ramp,
        "stripes": np.ascontiguousarray(ramp.T // 32 % 2 * 255),
        "two chests": np.concatenate([left, right], 1),
    }
    frames = {name: locate_lungs(image) for name, image in nothing.items()}
    assert {name for name, one in frames.items() if one.found} == set()
    assert all(one.box == WHOLE.box for one in frames.values())
    assert frames["black"] == frames["white"] == frames["strip"] == frames["tall strip"] == WHOLE


@pytest.mark.parametrize(
    ("change", "most"),
    [
        (lambda image: np.concatenate([image, image], 1), 0.02),  # two chests side by side
        (lambda image: np.concatenate([image, image], 0), 0.02),  # one above the other
        (lambda image: image[: len(image) // 2], 0.05),
        (lambda image: image[:, : image.shape[1] // 2], 0.02),  # one lung
        (lambda image: image[:, image.shape[1] // 2 :], 0.02),
    ],
)
def test_parts_of_chests_and_pairs_rarely_pass(
    chests: tuple[Images, Images], change: Callable[[np.ndarray], np.ndarray], most: float
) -> None:
    frames = locate_many([np.ascontiguousarray(change(image)) for image in chests[0]])
    assert np.mean([one.found for one in frames]) <= most


def test_the_boxes_are_these_on_every_machine(chests: tuple[Images, Images]) -> None:
    """Other weights give others: the version of the locator, and so every cache, changes too."""
    assert frame.locator_version() == "d10e40eea2e0fcc0"
    steps = [[round(1024 * edge) for edge in one.box] for one in locate_many(chests[0][:4])]
    assert steps == GOLDEN


def test_a_batch_finds_what_each_image_alone_does(chests: tuple[Images, Images]) -> None:
    images = [*chests[0], np.zeros((40, 30), np.uint8), chests[0][0][:16]]
    frames = locate_many(images)
    assert frames == [locate_lungs(image) for image in images]
    assert frames[:N] == locate_many(np.stack([frame.thumbnail(image) for image in chests[0]]))
    assert locate_many([]) == []
    for one in frames:
        assert 0 <= one.x0 < one.x1 <= 1 and 0 <= one.y0 < one.y1 <= 1 and 0 <= one.score <= 1
    rows = frame.frame_rows(frames)
    assert rows.shape == (len(images), 6) and rows.dtype == np.float32
    assert [LungFrame.of_row(row) for row in rows] == frames


@pytest.mark.parametrize("row", [[0, 0, 1, 1, 0.5, 4], [0.5, 0, 0.5, 1, 0, 0], [0, 0, 2, 1, 0, 0]])
def test_a_row_that_is_no_frame_is_refused(row: list[float]) -> None:
    with pytest.raises(ValueError, match="is not a lung frame"):
        LungFrame.of_row(row)


def test_the_network_is_pytorchs(chests: tuple[Images, Images], monkeypatch) -> None:
    shapes = {"c1": (12, 1, 5, 5), "c2": (24, 12, 3, 3), "c3": (32, 24, 3, 3)}
    shapes |= {"f1": (96, 32 * 36), "f2": (11, 96)}
    rng = np.random.default_rng(1)
    weights = {
        f"{layer}.{kind}": rng.standard_normal(shape if kind == "weight" else shape[:1]) * 0.1
        for layer, shape in shapes.items()
        for kind in ("weight", "bias")
    }
    monkeypatch.setattr(frame, "_weights", lambda: weights)
    images = np.stack([frame.thumbnail(image) for image in chests[0]])
    x = torch.from_numpy(images).double()[:, None] / 255
    x = (x - x.mean((2, 3), keepdim=True)) / (x.std((2, 3), keepdim=True) + 0.02)
    given = {name: torch.from_numpy(values) for name, values in weights.items()}
    for layer, padding in (("c1", 2), ("c2", 1), ("c3", 1)):
        x = F.relu(F.conv2d(x, given[f"{layer}.weight"], given[f"{layer}.bias"], 2, padding))
    x = F.relu(F.linear(x.flatten(1), given["f1.weight"], given["f1.bias"]))
    expected = F.linear(x, given["f2.weight"], given["f2.bias"])
    np.testing.assert_allclose(frame._network(images), expected.numpy(), atol=1e-9)


FIXED = LungFrame(0.25, 0.125, 0.875, 0.75, 1.0, "lungs")


@pytest.fixture
def fixed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The lungs are found at the same place of every image."""
    monkeypatch.setattr(frame, "_frames", lambda thumbnails: [FIXED] * len(thumbnails))


def large(height: int, width: int) -> Image.Image:
    """Smooth, as an enlarged chest is."""
    image = render_image(3, spec=SPEC).pixels
    return Image.fromarray(image).resize((width, height), Image.Resampling.BICUBIC)


def as_file(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def by_hand(grey: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    height, width = grey.shape
    box = FIXED.x0 * width, FIXED.y0 * height, FIXED.x1 * width, FIXED.y1 * height
    bilinear = Image.Resampling.BILINEAR
    return np.asarray(Image.fromarray(grey).resize(size[::-1], bilinear, box, reducing_gap=3.0))


@pytest.mark.parametrize("shape", [(160, 200), (900, 1200)])
def test_the_box_is_cut_at_full_detail(fixed: None, shape: tuple[int, int]) -> None:
    image = large(*shape)
    grey = np.asarray(image)
    for source in (grey, image, as_file(image)):
        pixels, found = load_framed(source, (96, 128))
        assert found == FIXED and pixels.shape == (96, 128)
        assert pixels.flags.c_contiguous and pixels.flags.writeable
        assert (pixels == by_hand(grey, (96, 128))).all()
        assert (load_grey(source, (96, 128), frame="lungs") == pixels).all()


@pytest.mark.parametrize("method", ["pad", "crop"])
def test_the_box_is_resized_as_an_image_of_its_own(fixed: None, method: str) -> None:
    grey = np.asarray(large(160, 240))
    box = np.ascontiguousarray(grey[20:120, 60:210])  # whole pixels
    difference = load_framed(grey, 64, method)[0].astype(int) - resize(box, 64, method)
    assert np.abs(difference)[14:-14, 2:-2].max() <= 2  # at its edge the cut sees what lies beyond
    assert (load_framed(grey, None)[0] == box).all()


@pytest.mark.parametrize(("shape", "size"), [((1101, 1503), 128), ((2999, 2411), 224)])
def test_a_jpeg_is_decoded_no_further_than_the_box_needs(
    fixed: None, monkeypatch: pytest.MonkeyPatch, shape: tuple[int, int], size: int
) -> None:
    data = as_file(large(*shape), "JPEG", quality=92)
    full = load_grey(data)
    scales = decoded_scales(monkeypatch)
    pixels, found = load_framed(data, size)
    assert found == FIXED and len(scales) == 1 and scales[0] < 8
    difference = np.abs(pixels.astype(int) - by_hand(full, (size, size)))
    assert np.mean(difference <= 3) >= 0.999


def test_small_lungs_are_decoded_at_a_larger_scale(monkeypatch: pytest.MonkeyPatch) -> None:
    small = LungFrame(0.375, 0.375, 0.625, 0.625, 1.0, "lungs")
    monkeypatch.setattr(frame, "_frames", lambda thumbnails: [small] * len(thumbnails))
    data = as_file(large(1200, 1200), "JPEG", quality=92)
    full = load_grey(data)
    scales = decoded_scales(monkeypatch)
    pixels, _ = load_framed(data, 128)
    assert len(scales) == 2 and scales[1] > scales[0]
    difference = np.abs(pixels.astype(int) - cut(full, small.box, 128))
    assert np.mean(difference <= 3) >= 0.999


def decoded_scales(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """In eighths, of every JPEG decoded from here on."""
    from cxr.pixels import jpeg

    real, scales = jpeg._decode_at, []

    def counting(data: bytes, shape: tuple[int, int], eighths: int):
        scales.append(eighths)
        return real(data, shape, eighths)

    monkeypatch.setattr(jpeg, "_decode_at", counting)
    return scales


def test_a_small_jpeg_is_decoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    scales = decoded_scales(monkeypatch)
    for image in (large(224, 224), Image.new("L", (224, 224))):
        load_framed(as_file(image, "JPEG"), 128)
    assert scales == [8, 8]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_jpeg_is_framed_as_it_is_seen(fixed: None, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = as_file(large(300, 400), "JPEG", exif=exif, quality=95)
    pixels, _ = load_framed(data, 64)
    assert np.abs(pixels.astype(int) - by_hand(load_grey(data), (64, 64))).max() <= 3


def test_a_colour_or_cmyk_jpeg_is_framed_too(fixed: None) -> None:
    for mode in ("RGB", "CMYK"):
        data = as_file(large(300, 400).convert(mode), "JPEG", quality=95)
        pixels, found = load_framed(data, 64)
        assert found == FIXED
        assert (pixels == by_hand(load_grey(data), (64, 64))).all()


@pytest.mark.parametrize("method", ["squish", "pad", "crop"])
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_without_lungs_it_is_the_whole_image(
    monkeypatch: pytest.MonkeyPatch, kind: str, method: str
) -> None:
    nothing = LungFrame(*WHOLE.box, 0.125, "none")
    monkeypatch.setattr(frame, "_frames", lambda thumbnails: [nothing] * len(thumbnails))
    for shape in ((200, 160), (1500, 1111)):
        data = as_file(large(*shape), kind)
        pixels, found = load_framed(data, (64, 96), method)
        assert found == nothing and not found.found
        difference = np.abs(pixels.astype(int) - load_grey(data, (64, 96), method))
        assert difference.max() <= (0 if method == "squish" else 1)


def test_the_whole_frame_is_the_image_as_ever() -> None:
    data = as_file(large(500, 700), "JPEG")
    pixels, found = load_framed(data, 64, "pad", "whole")
    assert (pixels == load_grey(data, 64, "pad")).all() and found == WHOLE
    with pytest.raises(UnknownName, match="frame 'lung'"):
        load_grey(data, 64, frame="lung")  # type: ignore[arg-type]


def test_children(shared_data: Path) -> None:
    paths = sorted(get_image_files(shared_data / "kermany224"))[::52][:100]
    loaded = [load_framed(path, 96) for path in paths]
    assert np.mean([found.found for _, found in loaded]) >= 0.97
    for path, (pixels, found) in zip(paths[:10], loaded, strict=False):
        again, same = load_framed(path.read_bytes(), 96)
        assert (again == pixels).all() and same == found
