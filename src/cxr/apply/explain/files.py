"""Heat maps as pictures: see `batch.pictures`, which needs no torch."""

from __future__ import annotations

from ..batch.folder import require_empty
from ..batch.pictures import explain_file, explain_files, overlay_names

__all__ = ["explain_file", "explain_files", "overlay_names", "require_empty"]
