"""What was checked, and what was found: all that the page and check.json are made of."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from ..find import Manifest
from .finding import Finding


@dataclass(frozen=True)
class DataFacts:
    """What a data set is. `root`, the folder that paths of findings start from, is never
    written: nothing else here tells where on a disk it lies, or who a patient is.

    classes, splits: images in each; an image may have several classes or none, and no split.
    patients: None where none is known. fingerprint: `Manifest.fingerprint`, by which a later step
    knows that it is about these very data. seconds: what the check took, None where not measured.
    """

    name: str
    root: Path
    images: int
    patients: int | None
    classes: Mapping[str, int]
    splits: Mapping[str, int]
    checked: str = field(default_factory=lambda: date.today().isoformat())
    seconds: float | None = None
    fingerprint: str = ""

    @property
    def images_per_second(self) -> float | None:
        return self.images / self.seconds if self.seconds else None

    def to_dict(self) -> dict[str, Any]:
        """In JSON types, without `root`."""
        return {
            "name": self.name,
            "fingerprint": self.fingerprint,
            "images": self.images,
            "patients": self.patients,
            "classes": dict(self.classes),
            "splits": dict(self.splits),
            "checked": self.checked,
        }


@dataclass(frozen=True)
class CheckResult:
    """`findings`, the worst first, with paths relative to `facts.root`; `quick`: of a part of the
    checks only."""

    findings: Sequence[Finding]
    facts: DataFacts
    quick: bool = False


def data_facts(manifest: Manifest, data: Path | str | None = None) -> DataFacts:
    """Counts what is in a manifest; `data` is what it was read from, if not its root."""
    patients = set(manifest.patients()) - {None}
    return DataFacts(
        name=_name(manifest.root if data is None else data),
        root=manifest.root,
        images=len(manifest),
        patients=len(patients) or None,
        classes=_classes(manifest),
        splits=_splits(manifest),
        fingerprint=manifest.fingerprint(),
    )


def _name(data: Path | str) -> str:
    """The last part of the path, also of `.` and `..`; links are not followed."""
    return os.path.basename(os.path.abspath(data)) or "data"  # noqa: PTH100, PTH119


def _classes(manifest: Manifest) -> dict[str, int]:
    table = manifest.table
    if manifest.multi_label:
        return {name: int((table[name] == 1).sum()) for name in manifest.classes}
    return {name: int((table["label"] == name).sum()) for name in manifest.classes}


def _splits(manifest: Manifest) -> dict[str, int]:
    counts = Counter(name for name in manifest.splits() or () if name is not None)
    order = [name for name in ("train", "valid", "test") if name in counts]
    return {name: counts[name] for name in [*order, *sorted(set(counts) - set(order))]}
