from __future__ import annotations

import logging
import warnings

from pydicom.dataset import Dataset

from cxr._io import quiet_pydicom


def test_no_warning_of_pydicom_is_shown_or_logged(caplog, recwarn):
    """pydicom would quote the value, which is a name here."""
    with caplog.at_level(logging.DEBUG):
        quiet_pydicom()
        Dataset().add_new("PatientID", "LO", "WATSON" * 20)
        dataset = Dataset()
        dataset.add_new("PatientAge", "AS", "JOHN WATSON")
    assert not caplog.records and not recwarn.list
    assert logging.getLogger("pydicom").disabled


def test_other_warnings_are_shown(recwarn):
    quiet_pydicom()
    warnings.warn("of somebody else", stacklevel=1)
    assert len(recwarn.list) == 1
