"""Which of two classes is the finding, judged by their names."""

from __future__ import annotations

from collections.abc import Sequence

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
