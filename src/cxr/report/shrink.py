"""Images made small enough to travel inside a page."""

from __future__ import annotations

from io import BytesIO

from ..errors import ImageError

QUALITY = 85


def shrunk(content: bytes, side: int) -> bytes:
    """A PNG or JPEG, as JPEG with a longer side of at most `side` pixels; a small one unchanged.

    Raises ImageError for what is no image.
    """
    from PIL import Image

    try:
        with Image.open(BytesIO(content), formats=("PNG", "JPEG")) as image:
            if max(image.size) <= side:
                return content
            small = image.convert("RGB")
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ImageError("an image of the report", f"cannot be read ({error})") from error
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    jpeg = BytesIO()
    small.save(jpeg, "JPEG", quality=QUALITY, optimize=True)
    return jpeg.getvalue()
