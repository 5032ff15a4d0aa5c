"""All checks of a data set, the worst findings first."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from .checks.burned_in import check_burnt_in
from .checks.copies import check_copies
from .checks.dicom import check_dicom
from .checks.label_errors import check_mislabelled
from .checks.labels import check_labels
from .checks.near_copies import check_near_copies
from .checks.patients import check_patients
from .checks.shift import check_shift
from .checks.shortcuts import check_shortcuts
from .checks.subgroups import check_subgroups
from .checks.unreadable import check_unreadable
from .checks.unusable import check_image
from .checks.unusual import check_unusual
from .finding import Finding
from .private import check_private
from .scan import Scan

if TYPE_CHECKING:
    from ..find import ManifestOptions
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
    check_image,
    check_unusual,
    check_copies,
    check_near_copies,
    check_dicom,
    check_private,
    check_burnt_in,
)


def check_data(
    data: Path | str,
    options: ManifestOptions | None = None,
    *,
    splitter: Splitter | None = None,
) -> list[Finding]:
    """What is wrong, or worth knowing, about the images at `data`; nothing is changed there.

    The findings of `inspect_data`, which see.
    """
    from .result import inspect_data

    return list(inspect_data(data, options, splitter=splitter).findings)
