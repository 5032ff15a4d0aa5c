"""Identifiers that are the same whenever the same is said of the same image.

A random identifier would file one more report with each run over an archive. These are version 5
UUIDs (RFC 9562) under 2.25, the root that DICOM keeps for UUIDs (PS3.5 B.2): the archive sees that
it has the object already. What enters is what the document depends on, so that another answer, of
another model or of a new calibration, is another document and never hidden behind the old one.
"""

from __future__ import annotations

import uuid

_NAMESPACE = uuid.UUID("0c8f8d5e-64e5-4b2c-9b41-6d1c6a1f3a57")


def uid(kind: str, *parts: str) -> str:
    """A UID of at most 44 characters that depends on `kind` and every one of `parts`."""
    return f"2.25.{uuid.uuid5(_NAMESPACE, _joined(kind, *parts)).int}"


def short_name(*parts: str) -> str:
    """12 hexadecimal digits for a file name, from which the parts cannot be read."""
    return uuid.uuid5(_NAMESPACE, _joined("name", *parts)).hex[:12]


def _joined(*parts: str) -> str:
    return "\0".join(parts)
