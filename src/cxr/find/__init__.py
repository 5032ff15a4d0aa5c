"""Step 1: where images come from, and the manifest that says what images there are.

Names are imported when they are first used, so that listing files does not load pandas.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._io.lazy import lazy_names
from .files import IMAGE_EXTENSIONS, Files, get_image_files, parent_label

if TYPE_CHECKING:
    from ..config import ManifestOptions
    from .layouts import LAYOUTS
    from .manifest import Manifest, read_manifest, require_trainable
    from .paths import Path
    from .patients import PATTERNS, PatientPattern, detect_pattern, identity_note, patients_of

__getattr__ = lazy_names(
    __name__,
    {
        "LAYOUTS": "layouts",
        "Manifest": "manifest",
        "ManifestOptions": "manifest",
        "Path": "paths",
        "PATTERNS": "patients",
        "PatientPattern": "patients",
        "detect_pattern": "patients",
        "identity_note": "patients",
        "patients_of": "patients",
        "read_manifest": "manifest",
        "require_trainable": "manifest",
    },
)

__all__ = [
    "IMAGE_EXTENSIONS",
    "LAYOUTS",
    "PATTERNS",
    "Files",
    "Manifest",
    "ManifestOptions",
    "Path",
    "PatientPattern",
    "detect_pattern",
    "get_image_files",
    "identity_note",
    "parent_label",
    "patients_of",
    "read_manifest",
    "require_trainable",
]
