"""All checks of a data set, the worst findings first."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .burnt_in import check_burnt_in
from .copies import check_copies
from .dicom import check_dicom
from .film import check_film
from .finding import Finding
from .labels import check_labels
from .mislabelled import check_mislabelled
from .near_copies import check_near_copies
from .patients import check_patients
from .private import check_private
from .scan import Scan
from .shift import check_shift
from .shortcuts import check_shortcuts
from .subgroups import check_subgroups
from .unreadable import check_unreadable
from .unusual import check_unusual

if TYPE_CHECKING:
    from .result import Splitter

# A new check is a new file and a line here. Findings of one severity come in this order.
CHECKS: tuple[Callable[[Scan], list[Finding]], ...] = (
    check_shortcuts,
    check_patients,
    check_labels,
    check_mislabelled,
    check_shift,
    check_subgroups,
    check_unreadable,
    check_film,
    check_unusual,
    check_copies,
    check_near_copies,
    check_dicom,
    check_private,
    check_burnt_in,
)


def check_data(
    data: Path | str, *, splitter: Splitter | None = None, **manifest_options: Any
) -> list[Finding]:
    """What is wrong, or worth knowing, about the images at `data`; nothing is changed there.

    The findings of `inspect_data`, which see.
    """
    from .result import inspect_data

    return list(inspect_data(data, splitter=splitter, **manifest_options).findings)
