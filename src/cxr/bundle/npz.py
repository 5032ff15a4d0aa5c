"""The .npz members of a model file, read without trusting one number in them.

numpy's own reader makes room for whatever a header claims before it looks at how much is there;
here an array is as large as its bytes, or refused.
"""

from __future__ import annotations

import io
import zipfile
from math import prod

import numpy as np

from ..errors import BundleError
from .container import check_layout, check_list

MAX_ARRAYS = 64
SUFFIX = ".npy"
Arrays = dict[str, np.ndarray]


def npz_bytes(arrays: Arrays) -> bytes:
    """An uncompressed .npz: the same bytes for the same arrays."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def read_npz(data: bytes, name: str) -> Arrays:
    """The arrays by name, copied out of `data`. `name` is the member's, for the message.

    Raises BundleError for anything but a plain .npz: compressed, an array twice, objects (which
    are pickles), a shape that is not that of the bytes.
    """
    try:
        file = io.BytesIO(data)
        check_list(file, MAX_ARRAYS)
        with zipfile.ZipFile(file) as archive:
            infos = archive.infolist()
            if any(info.compress_type != zipfile.ZIP_STORED for info in infos):
                raise ValueError("it is compressed")
            if len({info.filename for info in infos}) != len(infos):
                raise ValueError("an array is there twice")
            check_layout(archive, file)
            return {
                info.filename.removesuffix(SUFFIX): _array(archive.read(info)) for info in infos
            }
    except Exception as error:  # zipfile and numpy raise errors of many kinds for damaged headers
        why = " ".join((str(error) or type(error).__name__).split())[:200]
        raise BundleError(f"{name} cannot be read ({why})") from error


def _array(data: bytes) -> np.ndarray:
    file = io.BytesIO(data)
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        shape, by_columns, dtype = np.lib.format.read_array_header_1_0(file)
    else:
        shape, by_columns, dtype = np.lib.format.read_array_header_2_0(file)
    if dtype.hasobject:
        raise ValueError("it holds objects, which are pickles (allow_pickle is off)")
    n_bytes = len(data) - file.tell()
    if min(shape, default=0) < 0 or prod(shape) * dtype.itemsize != n_bytes:
        raise ValueError(f"an array of {shape} {dtype} is not what its {n_bytes:,} bytes hold")
    flat = np.frombuffer(data, dtype, count=prod(shape), offset=file.tell())
    return flat.reshape(shape, order="F" if by_columns else "C").copy()
