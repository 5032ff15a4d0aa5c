"""The split that the manifest holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...errors import UsageError
from ...find.layouts.columns import split_name
from .common import Labels, Split, by_name


@dataclass(frozen=True)
class ManifestSplitter:
    """By a column of the manifest that holds train, valid (or val) or test (on neither side).

    The caller hands over that column as `splits`, as `split_manifest` does.
    Raises UsageError when there is no such column, DataError when one side is empty.
    """

    column: str = "split"

    def __call__(
        self,
        items: Sequence[Any],
        labels: Labels | None = None,
        patients: Sequence[str | None] | None = None,
        splits: Sequence[str | None] | None = None,
    ) -> Split:
        if splits is None:
            raise UsageError(
                f"the data have no column {self.column!r} for ManifestSplitter: add it with train "
                "and valid in it, or use PatientSplitter"
            )
        names = [split_name(name) if name else None for name in splits]
        return by_name(names, "train", ("valid",), patients, f"the column {self.column!r}")
