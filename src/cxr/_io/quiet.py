"""Silence around pydicom, whose warnings quote what they warn of: perhaps a name."""

from __future__ import annotations

import logging
import warnings


def quiet_pydicom() -> None:
    """From here on no warning of pydicom is shown or logged, in any thread of this process.

    Not for the length of a block: what `warnings.catch_warnings` puts back in one thread, another
    may still need.
    """
    logging.getLogger("pydicom").disabled = True
    warnings.filterwarnings("ignore", module=r"pydicom(\.|$)")
