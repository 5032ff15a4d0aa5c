"""Every file read once: what the checks are told of a data set."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from .._io import Progress
from ..errors import ImageError
from ..pixels import available_cpus, load_grey, map_in_order

if TYPE_CHECKING:
    from ..find import Manifest


@dataclass(frozen=True)
class FileFacts:
    """One file. `height`, `width` and `pixels` are None, and `error` says why, if it is unreadable.

    `pixels` is a digest of the grey picture: equal for equal pictures, however they are stored.
    """

    bytes: int | None
    height: int | None = None
    width: int | None = None
    pixels: str | None = None
    error: str | None = None


@dataclass(frozen=True, eq=False)
class Scan:
    """The manifest, and the facts of its files in the same order."""

    manifest: Manifest
    files: Sequence[FileFacts]

    @cached_property
    def names(self) -> list[str]:
        """Paths relative to the data set, as the manifest has them."""
        return self.manifest.table["path"].tolist()

    @cached_property
    def label_columns(self) -> list[str]:
        """Where the table holds the labels; empty when there are none."""
        names = list(self.manifest.classes) if self.manifest.multi_label else ["label"]
        return [name for name in names if self.manifest.table[name].notna().any()]

    @cached_property
    def groups(self) -> npt.NDArray[np.int64]:
        """(n,) whose image each is, as a number; one of an unknown patient stands by itself."""
        names = [
            f"image {row}" if patient is None else f"patient {patient}"
            for row, patient in enumerate(self.manifest.patients())
        ]
        return np.unique(np.array(names, dtype=str), return_inverse=True)[1]

    @cached_property
    def flags(self) -> npt.NDArray[np.float32]:
        """(n, classes) 1 where an image is of the class, 0 where not, NaN where not known."""
        targets = self.manifest.targets()
        if self.manifest.multi_label:
            return targets
        return np.eye(len(self.manifest.classes), dtype=np.float32)[targets]

    @property
    def counted(self) -> str:
        """What `groups` counts: patients, or images where no patient is known."""
        return "patients" if any(self.manifest.patients()) else "images"


def scan(manifest: Manifest, *, workers: int | None = None) -> Scan:
    """Decodes every file in full. `workers` threads, default one a CPU."""
    with Progress("reading", len(manifest)) as progress:
        facts = []
        for fact in map_in_order(file_facts, manifest.paths(), workers or available_cpus()):
            facts.append(fact)
            progress.advance()
    return Scan(manifest, facts)


def file_facts(path: Path) -> FileFacts:
    size = file_size(path)
    try:
        grey = load_grey(path)
    except ImageError as error:
        return FileFacts(size, error=error.reason)
    height, width = grey.shape
    digest = hashlib.blake2b(f"{height}x{width}".encode(), digest_size=16)
    digest.update(grey.data)
    return FileFacts(size, height, width, digest.hexdigest())


def file_size(path: Path) -> int | None:
    """In bytes; None where there is no such file, or none that may be looked at."""
    try:
        return path.stat().st_size
    except (OSError, ValueError):
        return None
