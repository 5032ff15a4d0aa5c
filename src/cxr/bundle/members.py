"""The members of a model file, read only when their names, sizes and checksums are in order."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path

from ..errors import BundleError
from .write import CARD, CONFIG, GOLDEN, TRUST, WEIGHTS

LIMITS = {
    CONFIG: 8 << 20,
    CARD: 8 << 20,
    GOLDEN: 64 << 20,
    TRUST: 8 << 20,
    WEIGHTS: 4 << 30,
    "model.onnx": 4 << 30,
}
REQUIRED = (CONFIG, GOLDEN, WEIGHTS)
PICKLES = (".pkl", ".pickle", ".pth", ".pt", ".joblib")
# What zipfile raises for one damaged archive or another; OSError for a seek before the start.
DAMAGED = (
    zipfile.BadZipFile,
    EOFError,
    NotImplementedError,
    OSError,
    OverflowError,
    RuntimeError,
    ValueError,
    struct.error,
)


def read_members(path: Path) -> dict[str, bytes]:
    """The members by name. Raises BundleError for anything but a whole, plain model file."""
    with path.open("rb") as file:
        start = file.read(2)
    _refuse_pickle(path, start)
    if start != b"PK":  # zip readers skip what stands before an archive
        raise BundleError("not a cxr model: it does not begin as one")
    try:
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
            _check_members(infos, path.stat().st_size)
            return {info.filename: archive.read(info) for info in infos}
    except DAMAGED as error:
        raise BundleError(f"damaged, or not a cxr model ({error})") from error


def _check_members(infos: list[zipfile.ZipInfo], n_bytes: int) -> None:
    names = [info.filename for info in infos]
    unknown = sorted(set(names) - set(LIMITS))
    if unknown:
        raise BundleError(f"not a cxr model: it holds {unknown[0]!r}")
    missing = [name for name in REQUIRED if name not in names]
    if missing:
        raise BundleError(f"not a whole cxr model: {', '.join(missing)} missing")
    for info in infos:
        if names.count(info.filename) > 1:
            raise BundleError(f"{info.filename} is there twice; refused")
        if info.compress_type != zipfile.ZIP_STORED:
            raise BundleError(f"{info.filename} is compressed; a cxr model never is")
        if info.file_size > min(n_bytes, LIMITS[info.filename]):
            raise BundleError(f"{info.filename} claims {info.file_size:,} bytes, too many")


def _refuse_pickle(path: Path, start: bytes) -> None:
    """A fast.ai or torch export is a pickle: opening one can run any code. It is never opened."""
    named = path.suffix.lower() in PICKLES
    if named or start[:1] == b"\x80" or (start == b"PK" and _holds_pickle(path)):
        raise BundleError(
            "a Python pickle, which can run any code when it is opened, so cxr never opens one; "
            "export the model again with cxr (learn.export() writes model.cxr)"
        )


def _holds_pickle(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith(".pkl") for name in archive.namelist())
    except DAMAGED:
        return False
