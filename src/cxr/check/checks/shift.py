"""Do groups of images differ so much that a model could tell them apart?

A classifier two-sample test (Lopez-Paz and Oquab, 2017, arXiv:1610.06545): if a small model tells
two samples apart on images it has not seen, they were not drawn from one population.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..finding import Finding
from ..methods.crossfit import auroc_interval, auroc_text, out_of_fold
from ..scan import Scan
from .subgroups import groupings

MIN_PATIENTS = 20  # on either side
MAX_IMAGES = 2_000  # of a test
MOST_TESTS = 24
SPLITS_DIFFER, GROUPS_DIFFER = 0.6, 0.8  # lower limit of the AUROC from which it is a warning
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]


def check_shift(scan: Scan) -> list[Finding]:
    """One finding for each pair of splits and each group against the rest of its class.

    Groups are compared within a class, so that they do not differ by their diseases alone; of
    several classes the one where they differ most is reported. At most MOST_TESTS comparisons.
    """
    findings: list[Finding] = []
    done: set[tuple[object, ...]] = set()
    for name, values in _compared(scan).items():
        for value in values.value_counts().index:
            inside = (values == value).to_numpy()
            comparisons = []
            for label, rows in _parts(scan, values.notna().to_numpy()):
                side = inside[rows]
                # Of two groups, the second against the first is the same test again.
                test = (name, label, frozenset((side.tobytes(), (~side).tobytes())))
                if _enough(scan, rows, side) and test not in done and len(done) < MOST_TESTS:
                    done.add(test)
                    comparisons.append(_finding(scan, name, str(value), label, rows, side))
            findings += sorted(comparisons, key=lambda one: -one.evidence["auroc"]["value"])[:1]
    return findings


def _compared(scan: Scan) -> dict[str, pd.Series]:
    table = scan.manifest.table
    splits = {"split": table["split"]} if "split" in table and table["split"].nunique() > 1 else {}
    return {**splits, **groupings(scan)}


def _parts(scan: Scan, known: Bools) -> Iterator[tuple[str | None, Ints]]:
    """The rows of each class, whose groups are compared; all of them where images may have
    several labels, or none."""
    usable = scan.readable & known
    if scan.manifest.multi_label or not scan.label_columns:
        yield None, np.flatnonzero(usable)
        return
    for column, name in enumerate(scan.manifest.classes):
        yield name, np.flatnonzero(usable & (scan.flags[:, column] == 1))


def _enough(scan: Scan, rows: Ints, side: Bools) -> bool:
    return min(scan.n_groups(rows[side]), scan.n_groups(rows[~side])) >= MIN_PATIENTS


def _finding(
    scan: Scan, name: str, value: str, label: str | None, rows: Ints, side: Bools
) -> Finding:
    picked = np.sort(np.random.default_rng(0).permutation(len(rows))[:MAX_IMAGES])
    rows, side = rows[picked], side[picked]
    groups = scan.groups[rows]
    scores = out_of_fold(scan.components[rows], side, groups, "linear")
    auroc = auroc_interval(scores, side, groups)
    limit = SPLITS_DIFFER if name == "split" else GROUPS_DIFFER
    differ = auroc["low"] > limit
    among = f" among {label} images" if label else ""
    message = (
        f"{name} {value} against the others{among}: a small model tells the images apart with "
        f"{auroc_text(auroc)}, where 0.5 is chance"
    )
    return Finding(
        code="splits-differ" if name == "split" else "groups-differ",
        severity="warning" if differ else "info",
        message=message + (", so they were made or selected in different ways" if differ else ""),
        group=f"{name} {value}",
        evidence={"auroc": auroc, "column": name, "value": value, "class": label},
        action=_action(name) if differ else "",
    )


def _action(name: str) -> str:
    if name == "split":
        return (
            "say so where you report figures from it, or split all images anew with --split patient"
        )
    return (
        "hold this group out once and see whether the figures stand (a column `split` in a table, "
        "and --split manifest)"
    )
