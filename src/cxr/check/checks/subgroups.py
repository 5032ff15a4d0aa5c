"""Groups too small to measure, and columns that tell the label by themselves."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..finding import Finding
from ..methods.crossfit import auroc_interval, out_of_fold
from ..methods.groupings import groupings
from ..scan import Scan
from .shortcuts import GIVES_AWAY, class_rows, classes_to_tell

MIN_PATIENTS = 20
MAX_IMAGES = 10_000
NAMES = "series of file names"


def check_subgroups(scan: Scan) -> list[Finding]:
    columns = groupings(scan)
    return [*_telling(scan, columns), *_small(scan, columns)]


def _small(scan: Scan, columns: dict[str, pd.Series]) -> list[Finding]:
    """One finding for each column with such groups."""
    findings = []
    for name, values in columns.items():
        sizes = {
            str(value): len(np.unique(scan.groups[(values == value).to_numpy()]))
            for value in values.dropna().unique()
        }
        small = {value: n for value, n in sorted(sizes.items()) if n < MIN_PATIENTS}
        if small:
            told = ", ".join(f"{value} ({n:,})" for value, n in small.items())
            findings.append(
                Finding(
                    code="small-subgroup",
                    severity="info",
                    message=f"{name}: too few {scan.counted} to measure a model on: {told}",
                    group=name,
                    evidence={scan.counted: sizes, "needed": MIN_PATIENTS},
                    action="do not report figures of these groups by themselves",
                )
            )
    return findings


def _telling(scan: Scan, columns: dict[str, pd.Series]) -> list[Finding]:
    return [
        finding
        for name, values in columns.items()
        for index in classes_to_tell(scan)
        if (finding := _tells(scan, name, values, index)) is not None
    ]


def _tells(scan: Scan, name: str, values: pd.Series, index: int) -> Finding | None:
    rows = class_rows(scan, index, MAX_IMAGES)
    if rows is None:
        return None
    coded = pd.get_dummies(values.iloc[rows].fillna("unknown")).to_numpy(float)
    truth, groups, label = (
        scan.flags[rows, index] == 1,
        scan.groups[rows],
        scan.manifest.classes[index],
    )
    found = auroc_interval(out_of_fold(coded, truth, groups, "linear"), truth, groups)
    if found["low"] <= GIVES_AWAY:
        return None
    return Finding(
        code="column-tells-label",
        severity="info" if name == NAMES else "warning",
        message=f"{label} can be told from the {name} alone: AUROC {found['value']:.3f} "
        f"({found['low']:.3f} to {found['high']:.3f}, n={found['n']:,})",
        group=f"{name}, {label}",
        evidence={"auroc": found, "column": name, "class": label},
        action="no model sees file names, but classes that are numbered apart were often gathered "
        "apart: look at the shortcuts"
        if name == NAMES
        else "a model that can see it in the images need not look at the disease: compare within "
        "one value at a time",
    )
