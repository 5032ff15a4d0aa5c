"""The checks, one a module: each takes a scan and returns its findings."""

from __future__ import annotations

from collections.abc import Callable

from ..finding import Finding
from ..private import check_private
from ..scan import Scan
from .burned_in import check_burnt_in
from .copies import check_copies
from .dicom import check_dicom
from .label_errors import check_mislabelled
from .labels import check_labels
from .near_copies import check_near_copies
from .patients import check_patients
from .shift import check_shift
from .shortcuts import check_framing, check_shortcuts
from .subgroups import check_subgroups
from .unreadable import check_unreadable
from .unusable import check_image
from .unusual import check_unusual

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

# Those of a look at what training has decoded anyway.
QUICK = (check_framing, check_patients, check_labels, check_unreadable, check_copies)
