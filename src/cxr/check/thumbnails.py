"""Small images of the files that findings are about, to be carried inside a page."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from PIL import Image

from .._io.drawing import data_uri, jpeg_thumbnail
from ..errors import ImageError
from ..pixels import available_cpus, load_grey, map_in_order
from .finding import Finding

LONGER_SIDE = 160  # pixels
QUALITY = 80


@dataclass(frozen=True)
class Wanted:
    """A file to be shown, named as in the manifest, and what to say of it."""

    name: str
    caption: str = ""


@dataclass(frozen=True)
class Thumbnail:
    """A grey JPEG as a data URI, with its size in pixels."""

    source: str
    width: int
    height: int


def wanted_images(finding: Finding, limit: int) -> list[Wanted]:
    """The file of a finding and those in its evidence under "examples", each once.

    Beside a copy without such a list stands the image that it is a copy of.
    """
    copies = [{"path": name} for name in finding.evidence.get("copies", ())[:1]]
    listed = [
        Wanted(str(one["path"]), str(one.get("caption", "")))
        for one in finding.evidence.get("examples", copies)
    ]
    named = {one.name for one in listed}
    if finding.path is not None and finding.path.as_posix() not in named:
        listed.insert(0, Wanted(finding.path.as_posix()))
    return listed[:limit]


def thumbnails(root: Path, names: Iterable[str]) -> dict[str, Thumbnail | None]:
    """Of each of the files `root / name`; None where there is no image in it."""
    names = list(dict.fromkeys(names))
    drawn = map_in_order(partial(_thumbnail, root), names, available_cpus())
    return dict(zip(names, drawn, strict=True))


def _thumbnail(root: Path, name: str) -> Thumbnail | None:
    try:
        image = Image.fromarray(load_grey(root / name))
    except ImageError:
        return None
    jpeg, (width, height) = jpeg_thumbnail(image, LONGER_SIDE, QUALITY)
    return Thumbnail(data_uri(jpeg), width, height)
