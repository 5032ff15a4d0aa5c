"""Names of classes: which make sense together, which of two is the finding, names -> indices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...errors import ManifestError

NEGATIVE_NAMES = frozenset(
    {"0", "no", "none", "false", "normal", "negative", "neg", "healthy", "control", "absent"}
)
NEGATIVE_STARTS = ("no ", "non ", "not ", "without ")


def positive_class(classes: Sequence[str]) -> str:
    """The class that is not named like an absence of disease; otherwise the second of the two.

    A name counts as negative whatever its case, hyphens and underscores: `NORMAL`, `negative`,
    `healthy`, `control`, `No Finding`, `0`, `no`, or one that starts with `no_`, `non-`, `not_`,
    `without_`. When both or neither are negative the order of the classes decides.
    Raises ValueError for any number of classes but two.
    """
    first, second = classes
    return first if _is_negative(second) and not _is_negative(first) else second


def _is_negative(name: str) -> bool:
    plain = " ".join(name.casefold().replace("_", " ").replace("-", " ").split())
    return plain in NEGATIVE_NAMES or plain.startswith(NEGATIVE_STARTS)


def default_positive(classes: Sequence[str], multi_label: bool) -> str | None:
    """`positive_class` of two classes that exclude each other, else None."""
    return positive_class(classes) if len(classes) == 2 and not multi_label else None


def check_classes(classes: tuple[str, ...], multi_label: bool, positive: str | None) -> None:
    least = 1 if multi_label else 2
    if len(classes) < least:
        raise ManifestError(f"{len(classes)} classes (prob_ columns); at least {least} needed")
    if len(set(classes)) < len(classes) or "" in classes:
        raise ManifestError(f"classes {list(classes)!r}; every class needs a name of its own")
    two = len(classes) == 2 and not multi_label
    if positive not in (classes if two else (None,)):
        raise ManifestError(
            f"positive class {positive!r} does not fit the classes {', '.join(classes)}; "
            "it is one of two classes that exclude each other, else None"
        )


def class_indices(labels: pd.Series[Any], classes: Sequence[str]) -> NDArray[np.int64]:
    """(n,) int64; raises ManifestError at the first label that is no class."""
    codes = pd.Index(classes).get_indexer(pd.Index(labels)).astype(np.int64)
    if (codes < 0).any():
        row = int((codes < 0).argmax())
        raise ManifestError(
            f"column {labels.name!r}, row {row + 1}: {labels.iloc[row]!r} is no class; "
            f"classes: {', '.join(classes)}"
        )
    return codes
