from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from cxr.pixels.stored import colourfulness, stored_facts

GREY = np.random.default_rng(0).integers(0, 256, (64, 48), dtype=np.uint8)


def saved(image, format, **options):
    out = BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


@pytest.mark.parametrize("quality", [30, 75, 95])
def test_jpeg_tables_are_those_that_pillow_reads(quality):
    data = saved(Image.fromarray(GREY), "JPEG", quality=quality)
    facts = stored_facts(data)
    with Image.open(BytesIO(data)) as image:
        assert facts.quantisation == pytest.approx(np.mean(image.quantization[0]))
    assert (facts.format, facts.bits, facts.channels) == ("jpeg", 8, 1)
    assert not facts.progressive and facts.subsampling == 0 and 0 < facts.header < len(data)


@pytest.mark.parametrize(("subsampling", "samples"), [(0, 1), (1, 2), (2, 4)])
def test_jpeg_in_colour(subsampling, samples):
    image = Image.fromarray(GREY).convert("RGB")
    facts = stored_facts(saved(image, "JPEG", subsampling=subsampling, progressive=True))
    assert (facts.channels, facts.subsampling, facts.progressive) == (3, samples, True)


def test_a_comment_makes_a_longer_header():
    image = Image.fromarray(GREY)
    plain, told = (stored_facts(saved(image, "JPEG", comment=text)) for text in (b"", b"x" * 50))
    assert told.header > plain.header and told.segments == plain.segments + 1


@pytest.mark.parametrize(
    ("format", "mode", "bits", "channels"),
    [("PNG", "L", 8, 1), ("PNG", "RGB", 8, 3), ("PNG", "1", 1, 1), ("BMP", "L", 8, 1)],
)
def test_other_formats(format, mode, bits, channels):
    facts = stored_facts(saved(Image.fromarray(GREY).convert(mode), format))
    assert (facts.format, facts.bits, facts.channels) == (format.lower(), bits, channels)


def test_sixteen_bits():
    wide = Image.fromarray(GREY.astype(np.uint16) * 200)
    assert stored_facts(saved(wide, "PNG")).bits == 16
    assert stored_facts(saved(wide, "TIFF")).bits == 16


def test_dicom_that_begins_like_a_tiff_is_dicom():
    """Files of two formats at once exist: the preamble of a DICOM file may hold anything."""
    assert stored_facts(b"II*\0".ljust(128, b"\0") + b"DICM" + bytes(64)).format == "dicom"


@pytest.mark.parametrize("format", ["JPEG", "PNG"])
def test_colour(format):
    grey = Image.fromarray(np.full((64, 64), 90, np.uint8))
    assert colourfulness(saved(grey, format)) == 0
    assert colourfulness(saved(grey.convert("RGB"), format)) < 2
    assert colourfulness(saved(Image.new("RGB", (64, 64), (200, 40, 40)), format)) > 100


def test_colour_of_what_is_no_image():
    assert colourfulness(b"\xff\xd8\xff broken") == colourfulness(b"") == 0
