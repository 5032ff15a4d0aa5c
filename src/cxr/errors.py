"""Every error that cxr raises on purpose.

    CxrError
    ├── UsageError            the call is wrong: an option, a name, a missing path (exit 2)
    │   ├── UnknownName       a name that is not registered; the message lists near ones
    │   └── LoginMissing      how to get a login, in a few lines: the one message of more than one
    ├── DataError             the data cannot be used as they are
    │   ├── ImageError        one file cannot be turned into pixels
    │   └── ManifestError     the table of images contradicts itself or the files
    ├── BundleError           a model file is refused
    ├── WeightsError          pretrained weights cannot be had or do not fit
    ├── DownloadError         a data set could not be fetched whole
    ├── TrainingError         training cannot go on (a NaN loss, say)
    └── StorageError          the disk is full or cannot be written

A message says what is wrong, the value or path, what is allowed, and what to do next, in one line.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class CxrError(Exception):
    """Base class. `exit_code` is what the command line returns for it."""

    exit_code = 1


class UsageError(CxrError):
    exit_code = 2


class UnknownName(UsageError):
    """`UnknownName("backbone", "resnet81", known)`: names the value and what is near it."""

    def __init__(self, kind: str, name: object, known: Iterable[str], hint: str = "") -> None:
        names = sorted(known)
        near = difflib.get_close_matches(str(name), names, n=5, cutoff=0.5)
        listed = f"near names: {', '.join(near)}" if near else f"known: {', '.join(names[:12])}"
        super().__init__(f"unknown {kind} {name!r}; {listed}{'; ' + hint if hint else ''}")


class LoginMissing(UsageError):
    pass


class DataError(CxrError):
    pass


class ImageError(DataError):
    """`path` is what was read (or a short description of bytes), `reason` is why it failed."""

    def __init__(self, path: object, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = str(path)
        self.reason = reason

    def __reduce__(self) -> tuple[type, tuple[str, str]]:
        return type(self), (self.path, self.reason)


class ManifestError(DataError):
    pass


class BundleError(CxrError):
    pass


class WeightsError(CxrError):
    pass


class DownloadError(CxrError):
    pass


class TrainingError(CxrError):
    pass


class StorageError(CxrError):
    pass


OUT_OF_MEMORY = (
    # PyTorch's allocators on Linux, Windows and Apple's GPUs
    *("out of memory", "can't allocate memory", "not enough memory"),
    # oneDNN and Python, which name only what they could not make
    *("could not create a primitive", "can't start new thread"),
)


def is_out_of_memory(error: BaseException) -> bool:
    if not isinstance(error, RuntimeError):
        return isinstance(error, MemoryError)
    text = str(error).lower()
    return any(words in text for words in OUT_OF_MEMORY)
