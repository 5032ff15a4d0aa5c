"""DICOM copies without the person: PS3.15, Basic Application Level Confidentiality Profile."""

from .copies import Deidentified, LeftOut, deidentify

__all__ = ["Deidentified", "LeftOut", "deidentify"]
