"""The libraries of `cxr[dicom]`, asked for only where they are used."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from ..._io import quiet_pydicom
from ...errors import UsageError


@contextmanager
def extra(purpose: str) -> Iterator[None]:
    """Around imports: a library that is not installed becomes one line that says what to do."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise UsageError(
            f'{purpose} needs {error.name}, which is not installed; pip install "cxr[dicom]"'
        ) from error


def quiet() -> None:
    """No warning of pydicom or highdicom is shown from here on: theirs quote names of patients."""
    quiet_pydicom()
    warnings.filterwarnings("ignore", module=r"highdicom(\.|$)")
