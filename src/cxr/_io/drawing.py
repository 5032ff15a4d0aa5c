"""Text on images, thumbnails, PNG, JPEG and data URIs, by Pillow and NumPy alone."""

from __future__ import annotations

import base64
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ..errors import ImageError

JPEG_QUALITY = 85
SIGNATURES = {b"\xff\xd8\xff": "jpeg", b"RIFF": "webp"}


class TextLine(NamedTuple):
    """`size` is the height of its letters in pixels."""

    text: str
    size: int
    colour: str


class TextBlock:
    """Lines one under another, broken between words so that each fits into `width` pixels.

    `indent` stays empty on the left and right, `margin` above and below; a line takes `spacing`
    times the height of its letters.
    """

    def __init__(
        self, lines: Iterable[TextLine], width: int, *, indent: int, margin: int, spacing: float
    ) -> None:
        self.indent, self.margin, self.spacing = indent, margin, spacing
        self.lines = [part for line in lines for part in _wrapped(line, width - 2 * indent)]

    @property
    def height(self) -> int:
        return 2 * self.margin + sum(map(self._step, self.lines))

    def _step(self, line: TextLine) -> int:
        return round(self.spacing * line.size)

    def draw(self, canvas: Image.Image, top: int) -> None:
        pen, y = ImageDraw.Draw(canvas), top + self.margin
        for line in self.lines:
            pen.text((self.indent, y), line.text, fill=line.colour, font=_font(line.size))
            y += self._step(line)


def _wrapped(line: TextLine, width: int) -> Iterator[TextLine]:
    font, fitting = _font(line.size), ""
    for word in _writable(line.text).split():
        longer = f"{fitting} {word}".strip()
        if fitting and font.getlength(longer) > width:
            yield line._replace(text=fitting)
            longer = word
        fitting = longer
    yield line._replace(text=fitting)


@cache
def _font_file() -> Path | None:
    """DejaVu Sans, which writes most languages, where matplotlib has it; it is not imported."""
    spec = find_spec("matplotlib")
    if not (spec and spec.origin):
        return None
    path = Path(spec.origin).parent / "mpl-data/fonts/ttf/DejaVuSans.ttf"
    return path if path.is_file() else None


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    path = _font_file()
    return ImageFont.load_default(size) if path is None else ImageFont.truetype(path, size)


def _writable(text: str) -> str:
    """Pillow's own font knows no more than ASCII: accents go, other letters become `?`."""
    if _font_file() is not None:
        return text
    plain = (c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return "".join(plain).encode("ascii", "replace").decode()


def resized(values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """`values` (H, W), uint8 or float32, interpolated linearly to `shape`; the same dtype."""
    height, width = shape
    return np.asarray(Image.fromarray(values).resize((width, height), Image.Resampling.BILINEAR))


def scaled_to(values: np.ndarray, side: int) -> np.ndarray:
    """`values` (H, W), uint8 or float32, with its longer side `side` pixels; the same dtype."""
    scale = side / max(values.shape)
    return resized(values, tuple(max(1, round(length * scale)) for length in values.shape))


def png(image: Image.Image | np.ndarray, compress_level: int = 6) -> bytes:
    """`image`: a Pillow image, or uint8 (H, W) or (H, W, 3)."""
    image = Image.fromarray(image) if isinstance(image, np.ndarray) else image
    file = BytesIO()
    image.save(file, "PNG", compress_level=compress_level)
    return file.getvalue()


def jpeg_thumbnail(
    image: Image.Image, side: int, quality: int = JPEG_QUALITY
) -> tuple[bytes, tuple[int, int]]:
    """(JPEG, (width, height)), its longer side at most `side` pixels. Shrinks `image` in place."""
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    file = BytesIO()
    image.save(file, "JPEG", quality=quality, optimize=True)
    return file.getvalue(), image.size


def shrunk(content: bytes, side: int) -> bytes:
    """A PNG or JPEG, as JPEG with a longer side of at most `side` pixels; a small one unchanged.

    Raises ImageError for what is no image.
    """
    try:
        with Image.open(BytesIO(content), formats=("PNG", "JPEG")) as image:
            if max(image.size) <= side:
                return content
            colour = image.convert("RGB")
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ImageError("an image of the report", f"cannot be read ({error})") from error
    return jpeg_thumbnail(colour, side)[0]


def base64_text(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def data_uri(content: bytes) -> str:
    """Of a PNG, JPEG or WebP, so that it travels inside a page."""
    kind = next((name for start, name in SIGNATURES.items() if content.startswith(start)), "png")
    return f"data:image/{kind};base64,{base64_text(content)}"
