"""The safe model file `model.cxr`: write, read, verify. No pickle is ever read or written."""

from .abstention import AbstentionRules
from .card import DISCLAIMER, model_card
from .config import FORMAT, BundleConfig
from .read import Bundle, read_bundle
from .write import SUFFIX, write_bundle

__all__ = [
    "DISCLAIMER",
    "FORMAT",
    "SUFFIX",
    "AbstentionRules",
    "Bundle",
    "BundleConfig",
    "model_card",
    "read_bundle",
    "write_bundle",
]
