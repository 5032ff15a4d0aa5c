"""The safe model file `model.cxr`: write, read, verify. No pickle is ever read or written."""

from .card import DISCLAIMER
from .config import FORMAT, BundleConfig
from .read import Bundle, read_bundle
from .write import SUFFIX, write_bundle

__all__ = [
    "DISCLAIMER",
    "FORMAT",
    "SUFFIX",
    "Bundle",
    "BundleConfig",
    "read_bundle",
    "write_bundle",
]
