"""In which words a figure may be praised: by the lower end of its interval, and of enough patients.

Every page and document that says how well a model does takes its words from here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._io.text import counted

Json = Mapping[str, Any]
ENOUGH = 100
"""Patients of each class below which nothing is said of strength: external validation needs 100
with the finding and 100 without at the least (Vergouwe et al., 2005,
doi:10.1016/j.jclinepi.2004.06.017; Collins, Ogundimu and Altman, 2016, doi:10.1002/sim.6787)."""
BANDS = ((0.97, "very well"), (0.9, "well"), (0.8, "moderately well"), (0.7, "weakly"))
"""The least lower end of an AUROC's interval for each word."""
SLIGHT = "little better than chance"


def strength(area: Json, patients: Mapping[str, int]) -> str:
    """How well, by the lower end of the AUROC's interval; "" where that reaches chance, where there
    is no interval, or where a class has too few patients."""
    if area["value"] is None or "low" not in area or too_few(patients):
        return ""
    weak = SLIGHT if area["low"] > 0.5 else ""
    return next((words for least, words in BANDS if area["low"] >= least), weak)


def too_few(patients: Mapping[str, int]) -> str:
    """`9 patients with PNEUMONIA` where that class has fewer than ENOUGH; else "".

    `patients`: how many there are with each class.
    """
    name = min(patients, key=patients.__getitem__, default=None)
    if name is None or patients[name] >= ENOUGH:
        return ""
    return f"{counted(patients[name], 'patient')} with {name}"
