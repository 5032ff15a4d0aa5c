"""DICOM headers, opened safely: without pixels, without inflating, without a word of pydicom."""

from __future__ import annotations

import logging
import warnings
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ImageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydicom.dataset import Dataset

HEAD_BYTES = 1 << 20
"""Where the transfer syntax is looked for: it stands within the first few hundred bytes, unless
somebody has put something before it."""

_DEFLATED = b"1.2.840.10008.1.2.1.99"


def quiet_pydicom() -> None:
    """From here on no warning of pydicom or highdicom is shown or logged, in any thread of this
    process: they quote what they warn of, perhaps a name.

    Not for the length of a block: what `warnings.catch_warnings` puts back in one thread, another
    may still need.
    """
    logging.getLogger("pydicom").disabled = True
    warnings.filterwarnings("ignore", module=r"(pydicom|highdicom)(\.|$)")


def has_dicom_preamble(data: bytes) -> bool:
    return data[128:132] == b"DICM"


def refuse_deflated(data: bytes, name: object) -> None:
    """Raises ImageError: pydicom would inflate such a file whole, however large it says it is."""
    if _DEFLATED in data:
        raise ImageError(name, "deflated DICOM is not read; save it in another transfer syntax")


def read_header(
    source: Path | bytes,
    tags: Iterable[str] | None = None,
    *,
    name: object = None,
    force: bool = True,
    head_bytes: int = HEAD_BYTES,
) -> Dataset:
    """The attributes named `tags` (None: all) of a file, or of its bytes, up to the pixels.

    `force` reads files without preamble, too. `name` stands in messages. Raises ImageError for
    deflated files, and whatever pydicom raises on damaged ones, which may quote values.
    """
    import pydicom

    quiet_pydicom()
    head = source if isinstance(source, bytes) else _first_bytes(source, head_bytes)
    refuse_deflated(head, name or source)
    return pydicom.dcmread(
        BytesIO(source) if isinstance(source, bytes) else source,
        force=force,
        stop_before_pixels=True,
        specific_tags=None if tags is None else list(tags),
    )


def _first_bytes(path: Path, n: int) -> bytes:
    with path.open("rb") as file:
        return file.read(n)
