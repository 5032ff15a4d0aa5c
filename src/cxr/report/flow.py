"""How the images of a data set came to be trained on, chosen by, measured on, or left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from ..find import Manifest


def flow_facts(
    manifest: Manifest,
    rows: Mapping[str, Sequence[int]],
    *,
    quarantined: int = 0,
    unreadable: int = 0,
) -> dict[str, Any]:
    """Images from found to used, for `ReportParts.flow`.

    manifest: the images that were to be used, in or out of a split. rows: name of a split -> the
    rows that went there. quarantined: images left out before, without a row. unreadable: rows
    that could not be decoded; the other rows in no split count as "not used".
    """
    used = sum(map(len, rows.values()))
    left_out = {
        "quarantined by cxr check": quarantined,
        "unreadable": unreadable,
        "not used": len(manifest) - used - unreadable,
    }
    return {
        "found": len(manifest) + quarantined,
        "left_out": [{"why": why, "n": n} for why, n in left_out.items() if n > 0],
        "splits": {name: _part(manifest, some) for name, some in rows.items() if len(some)},
    }


def _part(manifest: Manifest, rows: Sequence[int]) -> dict[str, Any]:
    table = manifest.table.iloc[list(rows)]
    if manifest.multi_label:
        masks = {name: table[name] == 1 for name in manifest.classes}
    else:
        masks = {name: table["label"] == name for name in manifest.classes}
    return {**_count(table), "classes": {name: _count(table[some]) for name, some in masks.items()}}


def _count(table: pd.DataFrame) -> dict[str, int | None]:
    return {"n": len(table), "n_patients": int(table["patient"].nunique()) or None}
