"""What an image may be, checked from its header before anything is decoded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .._io.text import error_text
from ..errors import ImageError

MAX_PIXELS = 100_000_000
"""A digitised 35 x 43 cm image at 50 micrometres is 61 megapixels."""

MAX_BYTES = 512 * 1024**2
MIN_SIDE = 16


def check_dimensions(name: object, height: int, width: int) -> None:
    """Raises ImageError when an image is too large to decode or too small to show anything."""
    if min(height, width) < MIN_SIDE:
        raise ImageError(
            name,
            f"{width}x{height} is too small; at least {MIN_SIDE} pixels a side are needed; "
            "use the original image",
        )
    if height * width > MAX_PIXELS:
        raise ImageError(
            name,
            f"{width}x{height} is {height * width / 1e6:.0f} megapixels; "
            f"at most {MAX_PIXELS / 1e6:.0f} are allowed; resize it first",
        )


def check_bytes(name: object, n: int) -> None:
    if n == 0:
        raise ImageError(name, "the file is empty; copy or download it again")
    if n > MAX_BYTES:
        raise ImageError(
            name,
            f"{n / 1024**2:.0f} MB is too large; at most {MAX_BYTES // 1024**2} MB are allowed; "
            "save it compressed or smaller",
        )


@contextmanager
def reading(path: Path) -> Iterator[Path]:
    """`path`, checked to be a file of an allowed size; a failure to read it becomes ImageError."""
    try:
        if not path.is_file():
            reason = "is a folder" if path.is_dir() else "there is no such file"
            raise ImageError(path, f"{reason}; give the path of one image")
        check_bytes(path, path.stat().st_size)
        yield path
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise unread(path, error) from error


def unread(path: object, error: OSError | ValueError) -> ImageError:
    reason = getattr(error, "strerror", None) or str(error)
    return ImageError(path, f"cannot be read ({reason}); check the disk and permissions")


@contextmanager
def decoding_with(library: str, name: object) -> Iterator[None]:
    """Whatever `library` raises on a broken file becomes one ImageError that quotes it."""
    try:
        yield
    except ImageError:
        raise
    except Exception as error:  # decoders raise nearly anything on broken input
        why = f"{library}: {error_text(error)}"
        raise ImageError(name, f"damaged or not supported ({why}); replace or remove it") from error
