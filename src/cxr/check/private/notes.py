"""What JPEG, PNG, TIFF and other image files say besides the image: which fields, by kind.

Only the names of fields leave this module. Of texts a digest is kept, to see whether they are the
same everywhere: a scanner's signature is in every file, a patient's name is not.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from PIL import ExifTags, Image

PLACES, NAMES, DATES, NUMBERS, TEXT, SOFTWARE = (
    *("image-places", "image-names", "image-dates", "image-numbers"),
    *("image-text", "image-software"),
)
KINDS = {
    PLACES: "the place where they were taken (GPS)",
    NAMES: "names of people or owners",
    DATES: "dates",
    NUMBERS: "serial numbers or unique numbers",
    TEXT: "comments or descriptions",
    SOFTWARE: "the software or device that made them",
}
_TAGS = {  # EXIF and TIFF
    NAMES: ("Artist", "Copyright", "XPAuthor", "CameraOwnerName"),
    DATES: ("DateTime", "DateTimeOriginal", "DateTimeDigitized", "PreviewDateTime"),
    NUMBERS: ("BodySerialNumber", "LensSerialNumber", "ImageUniqueID", "CameraSerialNumber"),
    TEXT: (
        *("ImageDescription", "UserComment", "XPComment", "XPTitle", "XPSubject", "XPKeywords"),
        *("DocumentName", "PageName", "MakerNote", "IPTCNAA", "XMLPacket", "ImageResources"),
    ),
    SOFTWARE: ("Software", "Make", "Model", "HostComputer", "ProcessingSoftware"),
}
_KIND_OF_TAG = {name: kind for kind, names in _TAGS.items() for name in names}
_FORMATS = ("JPEG", "PNG", "TIFF", "BMP", "GIF", "WEBP")
_KNOWN_TEXT = re.compile(
    rb"\s*(LEAD Technologies|CREATOR: gd-jpeg|File written by Adobe|Created with GIMP|Lavc|"
    rb"AppleMark|Intel\(R\)|JPEG Encoder|Processed By eBay|Optimized by)",
    re.IGNORECASE,
)
_PNG_KINDS = {
    "author": NAMES,
    "copyright": NAMES,
    "creation time": DATES,
    "date:create": SOFTWARE,  # when a program converted the file
    "date:modify": SOFTWARE,
    "date:timestamp": SOFTWARE,
    "software": SOFTWARE,
    "source": SOFTWARE,
}
_PNG_NAMES = (  # others are the user's own words and are not repeated
    *(*_PNG_KINDS, "comment", "description", "title"),
    *("xml:com.adobe.xmp", "raw profile type exif"),
)
_PNG_LIMIT, _PNG_CHUNKS = 65536, 4096


class Note(NamedTuple):
    """One field of one file; `digest` of its value."""

    kind: str
    field: str
    digest: bytes


def notes_of(path: Path) -> list[Note]:
    """Empty for what cannot be read: `check_unreadable` names such files. Pixels are not read."""
    try:
        with path.open("rb") as file:
            if file.read(132)[128:] == b"DICM":
                return []
        with Image.open(path, formats=_FORMATS) as image:
            notes = [*_exif(image), *_info(image)]
        return [*notes, *_png(path)]
    except Exception:  # Pillow raises nearly anything on broken input
        return []


def _exif(image: Image.Image) -> Iterator[Note]:
    tags = image.getexif()
    yield from _tagged(tags)
    yield from _tagged(tags.get_ifd(ExifTags.IFD.Exif))
    if place := tags.get_ifd(ExifTags.IFD.GPSInfo):
        yield _note(PLACES, "GPS", place)


def _tagged(tags: Mapping[int, Any]) -> Iterator[Note]:
    for number, value in tags.items():
        name = ExifTags.TAGS.get(number) or _TIFF_NAMES.get(number, "")
        kind = _KIND_OF_TAG.get(name)
        if kind is not None and value not in ("", b"", None):
            yield _note(kind, name, value)


_TIFF_NAMES = {700: "XMLPacket", 33723: "IPTCNAA", 34377: "ImageResources", 269: "DocumentName"}


def _info(image: Image.Image) -> Iterator[Note]:
    """What Pillow finds in the segments of JPEG, GIF and WebP files."""
    for name in ("comment", "xmp", "photoshop"):
        value = image.info.get(name)
        if value:
            yield _note(TEXT, {"photoshop": "IPTC"}.get(name, name), value)


def _png(path: Path) -> Iterator[Note]:
    """Text chunks, also those after the image, which Pillow reads only with the pixels."""
    with path.open("rb") as file:
        if file.read(8) != b"\x89PNG\r\n\x1a\n":
            return
        for _ in range(_PNG_CHUNKS):
            length, kind = int.from_bytes(file.read(4)), file.read(4)
            if len(kind) < 4 or kind == b"IEND":
                return
            if kind in (b"tEXt", b"zTXt", b"iTXt"):
                text = file.read(min(length, _PNG_LIMIT))
                keyword, _, value = text.partition(b"\0")
                name = keyword.decode("latin-1").lower()
                yield _note(
                    _PNG_KINDS.get(name, TEXT), name if name in _PNG_NAMES else "text", value
                )
                length -= len(text)
            file.seek(length + 4, 1)


def _note(kind: str, field: str, value: object) -> Note:
    text = value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")
    if kind == TEXT and _KNOWN_TEXT.match(text):
        kind = SOFTWARE
    return Note(kind, field, hashlib.blake2b(text, digest_size=8).digest())
