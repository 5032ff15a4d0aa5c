"""Text on images, and images in pages."""

from __future__ import annotations

import base64
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from cxr._io import drawing
from cxr._io.drawing import TextBlock, TextLine, data_uri, png, scaled_to, shrunk
from cxr.errors import ImageError

GREY = np.arange(60 * 40, dtype=np.uint8).reshape(60, 40)


def block(text: str, width: int = 200) -> TextBlock:
    return TextBlock([TextLine(text, 16, "#000000")], width, indent=8, margin=4, spacing=1.5)


def test_long_lines_break_between_words_and_lose_none() -> None:
    text = "the model is confident of its answer on this radiograph of the chest"
    wrapped = block(text)
    assert len(wrapped.lines) > 1
    assert " ".join(line.text for line in wrapped.lines) == text
    assert wrapped.height == 2 * 4 + 24 * len(wrapped.lines)


def test_text_stays_inside_its_block() -> None:
    wrapped = block("confident " * 20)
    canvas = Image.new("L", (200, wrapped.height + 20), "white")
    wrapped.draw(canvas, 10)
    ink = np.asarray(canvas) < 255
    assert ink.any()
    assert not ink[:10].any() and not ink[-10:].any()
    assert not ink[:, :8].any() and not ink[:, -8:].any()


def test_without_a_font_of_many_letters_text_is_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "_font_file", lambda: None)
    drawing._font.cache_clear()
    try:
        assert block("Ödem 肺").lines[0].text == "Odem ?"
    finally:
        drawing._font.cache_clear()


def test_a_png_holds_the_very_pixels() -> None:
    assert np.array_equal(np.asarray(Image.open(BytesIO(png(GREY)))), GREY)


def test_the_longer_side_is_the_one_wanted() -> None:
    assert scaled_to(GREY, 30).shape == (30, 20)
    assert scaled_to(GREY.T.astype(np.float32), 30).dtype == np.float32


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_data_uri_says_what_it_holds(kind: str) -> None:
    file = BytesIO()
    Image.fromarray(GREY).save(file, kind)
    head, coded = data_uri(file.getvalue()).split(",")
    assert head == f"data:image/{kind.lower()};base64"
    assert base64.b64decode(coded) == file.getvalue()


def test_large_images_are_made_small() -> None:
    content = png(GREY)
    assert shrunk(content, 60) == content
    small = Image.open(BytesIO(shrunk(content, 45)))
    assert (small.size, small.format) == ((30, 45), "JPEG")
    with pytest.raises(ImageError, match="cannot be read"):
        shrunk(b"GIF89a", 40)
