"""Rows of the label tables of CheXpert and MIMIC-CXR."""

from __future__ import annotations

from cxr.find.layouts.chexpert import CLASSES


def flags(**values: str) -> str:
    """`flags(No_Finding="1.0")`: the cells of all classes, blank where nothing is given."""
    named = {name.replace("_", " "): value for name, value in values.items()}
    return ",".join(named.get(name, "") for name in CLASSES)
