from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from cxr.find.phantom import PhantomSpec, render_image
from cxr.find.phantom.dicom import write_dicom
from cxr.pixels.head import pixels_in

GREY = Image.fromarray(np.zeros((40, 30), np.uint8))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "BMP", "WEBP", "GIF"])
def test_images_say_it_at_their_head(kind: str) -> None:
    file = BytesIO()
    GREY.save(file, kind)
    assert pixels_in(file.getvalue()) == 1200


def test_dicom(tmp_path):
    image = render_image(1, spec=PhantomSpec(size=64), bits=12)
    write_dicom(tmp_path / "a.dcm", image, seed=1)
    assert pixels_in((tmp_path / "a.dcm").read_bytes()) == image.pixels.size


def test_a_claim_is_believed_before_anything_is_decoded() -> None:
    file = BytesIO()
    GREY.save(file, "PNG")
    data = bytearray(file.getvalue())
    data[16:24] = (9999).to_bytes(4, "big") * 2
    assert pixels_in(bytes(data)) == 9999**2


@pytest.mark.parametrize(
    "data",
    [b"", b"no image", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"\0" * 128 + b"DICM", b"II*\0"],
)
def test_what_says_nothing_counts_nothing(data: bytes) -> None:
    assert pixels_in(data) == 0
