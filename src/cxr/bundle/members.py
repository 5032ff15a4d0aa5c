"""The members of a model file, read only when names, sizes and manifest are in order."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from .._io.markdown import one_line
from ..errors import BundleError, UsageError
from .archive import DAMAGED, check_layout, check_list
from .config import parse_config
from .format import (
    CARD,
    CONFIG,
    GOLDEN,
    MANIFEST,
    ONNX,
    REQUIRED,
    SIGNATURE,
    SIMILAR,
    TRUST,
    WEIGHTS,
    format_of,
)
from .manifest import check_manifest
from .signature import check_signature

LIMITS = {
    CONFIG: 8 << 20,
    CARD: 8 << 20,
    GOLDEN: 64 << 20,
    TRUST: 8 << 20,
    WEIGHTS: 4 << 30,
    ONNX: 4 << 30,
    SIMILAR: 2 << 30,
    MANIFEST: 64 << 10,
    SIGNATURE: 4 << 10,
}
PICKLES = (".pkl", ".pickle", ".pth", ".pt", ".joblib")
PICKLE = (
    "a Python pickle, which can run any code when it is opened, so cxr never opens one; "
    "export the model again with cxr (learn.export() writes model.cxr)"
)


def read_members(path: Path) -> dict[str, bytes]:
    """The members by name, `manifest.json` and `signature.json` among them.

    Raises UsageError when there is no such file, BundleError for anything but a whole, plain model
    file in which all is as its manifest says, and as its signature says if it has one.
    """
    if not path.is_file():
        raise UsageError(f"no model file {path}; train one with: cxr train DATA --run runs/a")
    with path.open("rb") as file:
        try:
            members = _stored(file)
        except (BundleError, *DAMAGED) as error:
            if _is_pickle(path, file):
                raise BundleError(PICKLE) from error
            if isinstance(error, BundleError):
                raise
            why = one_line(error)[:200]  # zipfile may quote half the file
            raise BundleError(f"damaged, or not a cxr model ({why})") from error
    check_manifest(members)
    if SIGNATURE in members:
        check_signature(members)
    return members


@contextmanager
def refusing(path: Path | str) -> Iterator[None]:
    """Names the file in each refusal."""
    try:
        yield
    except BundleError as error:
        raise BundleError(f"{path} is refused: {error}") from error


def _stored(file: BinaryIO) -> dict[str, bytes]:
    if file.read(2) != b"PK":  # zip readers skip what stands before an archive
        raise BundleError("not a cxr model: it does not begin as one")
    check_list(file, most=len(LIMITS))
    with zipfile.ZipFile(file) as archive:
        infos = archive.infolist()
        _check_members(infos, n_bytes=file.seek(0, 2))
        check_layout(archive, file)
        _check_names(archive)
        return {info.filename: archive.read(info) for info in infos}


def _check_members(infos: list[zipfile.ZipInfo], n_bytes: int) -> None:
    names = [info.filename for info in infos]
    for info in infos:
        shown = one_line(info.filename)[:80]
        if names.count(info.filename) > 1:
            raise BundleError(f"{shown} is there twice; refused")
        if info.compress_type != zipfile.ZIP_STORED or info.compress_size != info.file_size:
            raise BundleError(f"{shown} is compressed; a cxr model never is")
        if info.file_size > min(n_bytes, LIMITS.get(info.filename, n_bytes)):
            raise BundleError(f"{shown} claims {info.file_size:,} bytes, too many")


def _check_names(archive: zipfile.ZipFile) -> None:
    names = set(archive.namelist())
    if CONFIG in names:  # a newer file may have other members, and says first that it is newer
        format_of(parse_config(archive.read(CONFIG)))
    unknown = sorted(names - set(LIMITS))
    if unknown:
        raise BundleError(f"not a cxr model: it holds {unknown[0][:80]!r}")
    missing = [name for name in REQUIRED if name not in names]
    if missing:
        raise BundleError(f"not a whole cxr model: {', '.join(missing)} missing")


def _is_pickle(path: Path, file: BinaryIO) -> bool:
    """Whether what was refused is an export of fast.ai or torch, by its name or first bytes, or by
    the list of members at its end."""
    file.seek(0)
    start = file.read(256)
    file.seek(max(0, path.stat().st_size - (64 << 10)))
    named = path.suffix.lower() in PICKLES
    return named or start[:1] == b"\x80" or (start[:2] == b"PK" and b".pkl" in start + file.read())
