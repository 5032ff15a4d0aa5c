"""Shared walls: files that are whole or absent, caches, progress that suits its place."""

from .dicom_header import quiet_pydicom
from .files import (
    atomic_path,
    cache_dir,
    read_json,
    scratch_path,
    sha256_file,
    write_json,
    write_text,
)
from .progress import Progress, progress_disabled, say

__all__ = [
    "Progress",
    "atomic_path",
    "cache_dir",
    "progress_disabled",
    "quiet_pydicom",
    "read_json",
    "say",
    "scratch_path",
    "sha256_file",
    "write_json",
    "write_text",
]
