"""Images that are no frontal chest radiograph, known without training data."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw
from tests.helpers.dicom_data import dicom_dataset, written

from cxr._io import progress_disabled
from cxr.find import get_image_files
from cxr.find.phantom import write_phantom
from cxr.pixels import load_for_prediction, load_framed, load_grey
from cxr.pixels.doubt import (
    FROM_THE_SIDE,
    IN_COLOUR,
    OTHER_PART,
    doubt_of,
    header_doubts,
    is_coloured,
    is_lateral,
)


@pytest.fixture(scope="module")
def chest(tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    with progress_disabled():
        folder = write_phantom(tmp_path_factory.mktemp("p") / "phantom", n_images=1, size=256)
    return load_grey(get_image_files(folder)[0])


def photograph(size: int = 200) -> Image.Image:
    """Patches of many colours that brightness does not tell apart."""
    rng = np.random.default_rng(0)
    patches = rng.integers(40, 216, (6, 6, 3), dtype=np.uint8)
    return Image.fromarray(patches).resize((size, size), Image.Resampling.BICUBIC)


def tinted(grey: np.ndarray, *tint: float) -> Image.Image:
    return Image.fromarray((grey[:, :, None] * np.array(tint)).round().astype(np.uint8))


def annotated(grey: np.ndarray) -> Image.Image:
    image = Image.fromarray(grey).convert("RGB")
    pen = ImageDraw.Draw(image)
    pen.ellipse((60, 60, 120, 120), outline=(255, 0, 0), width=4)
    pen.rectangle((0, 0, 60, 20), fill=(0, 80, 255))
    return image


def as_file(image: Image.Image, kind: str) -> bytes:
    file = io.BytesIO()
    image.save(file, kind)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP"])
def test_a_photograph_is_in_colour_in_every_format(kind: str) -> None:
    assert doubt_of(as_file(photograph(), kind)) == IN_COLOUR


def test_a_photograph_as_image_or_array() -> None:
    image = photograph()
    colours = np.asarray(image)
    for source in (image, colours, colours / 255, image.quantize(64), image.convert("RGBA")):
        assert doubt_of(source) == IN_COLOUR


def test_a_jpeg_that_only_pillow_reads() -> None:
    assert doubt_of(as_file(photograph().convert("CMYK"), "JPEG")) == IN_COLOUR


def test_tints_marks_and_grey_in_three_channels_are_no_colour(chest: np.ndarray) -> None:
    grey = Image.fromarray(chest)
    for image in (
        grey,
        grey.convert("RGB"),
        grey.convert("RGBA"),
        tinted(chest, 1, 0.8, 0.55),
        tinted(chest, 0.6, 0.8, 1),
        annotated(chest),
    ):
        assert not is_coloured(image)
        assert doubt_of(image) == "" == doubt_of(np.asarray(image.convert("RGB")))
        for kind in ("PNG", "JPEG") if image.mode != "RGBA" else ("PNG",):
            assert doubt_of(as_file(image, kind)) == ""


@pytest.mark.parametrize("values", [np.uint8(7), np.uint16(700), 0.5, True])
def test_arrays_of_one_channel_have_no_colour(values: object) -> None:
    assert doubt_of(np.full((20, 20), values)) == "" == doubt_of(np.full((20, 20, 1), values))


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ({}, ""),
        ({"Modality": "DX", "BodyPartExamined": "CHEST", "ViewPosition": "PA"}, ""),
        ({"Modality": "OT", "BodyPartExamined": "PORT CHEST"}, ""),
        ({"Modality": ""}, ""),
        ({"Modality": "CT"}, "the DICOM header says that this is CT, no radiograph"),
        ({"Modality": "DOE JANE"}, "the DICOM header says that this is no radiograph"),
        ({"BodyPartExamined": "HAND"}, OTHER_PART),
        ({"BodyPartExamined": "CHEST", "ViewPosition": "LL"}, FROM_THE_SIDE),
    ],
)
def test_what_a_dicom_header_says(header: dict[str, str], said: str, chest: np.ndarray) -> None:
    data = written(dicom_dataset(chest, **header))
    assert doubt_of(data) == said
    pixels, frame = load_for_prediction(data, 64)
    assert frame.doubt == said
    plain, lungs = load_framed(data, 64)
    assert np.array_equal(pixels, plain) and frame.row() == lungs.row()


def test_headers_of_files_without_their_pixels(chest: np.ndarray, tmp_path: Path) -> None:
    """DICOM is known by its first bytes or its name; a file that is not at hand says nothing."""
    data = written(dicom_dataset(chest, ViewPosition="LL"))
    names = ("lateral.dcm", "lateral.jpg", "cut.dcm", "frontal.dcm", "photograph.png", "gone.dcm")
    paths = [tmp_path / name for name in names]
    for path in paths[:2]:
        path.write_bytes(data)
    paths[2].write_bytes(data[:-1000])
    paths[3].write_bytes(written(dicom_dataset(chest, ViewPosition="PA")))
    photograph().save(paths[4])
    assert header_doubts(paths) == [FROM_THE_SIDE] * 3 + [""] * 3


@pytest.mark.parametrize(
    ("view", "lateral"),
    [
        ("PA", False),
        ("AP", False),
        ("LL", True),
        ("left lateral", True),
        ("postero-anterior", False),
        ("LATERAL DECUBITUS", False),
        ("", False),
    ],
)
def test_views(view: str, lateral: bool) -> None:
    assert is_lateral(view) == lateral


def test_lungs_are_looked_for_in_whole_images_too(chest: np.ndarray, tmp_path: Path) -> None:
    Image.fromarray(chest).save(tmp_path / "chest.png")
    pixels, frame = load_for_prediction(tmp_path / "chest.png", 64, frame="whole")
    assert np.array_equal(pixels, load_grey(chest, 64))
    assert frame.box == (0, 0, 1, 1) and frame.found and frame.score > 0.5
    turned = load_for_prediction(np.rot90(chest), 64, frame="whole")[1]
    assert turned.finding == "turned"
