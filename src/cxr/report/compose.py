"""report.json: all that the page shows, before there is a page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..evaluate.predictions import Predictions
from . import words
from .condense import condense_check, tidy
from .curves import curves_of
from .parts import ReportParts
from .verdict import verdict_of

FORMAT = 1


def report_of(
    metrics: Mapping[str, Any],
    predictions: Mapping[str, Predictions],
    *,
    model_facts: Mapping[str, Any],
    population: str,
    tables: str,
    parts: ReportParts,
) -> dict[str, Any]:
    """What `report.json` holds, in JSON types; arguments as those of `write_report`."""
    facts = {name: value for name, value in model_facts.items() if name != "caveats"}
    given = tidy(parts.given())
    if "check" in given:
        given["check"] = condense_check(given["check"], given.get("flow"))
    headline = words.headline_split(list(predictions))
    counted = {name: patients_by_class(some) for name, some in predictions.items()}
    return {
        "format": FORMAT,
        "about": metrics["about"],
        "headline": headline,
        "population": population,
        "verdict": verdict_of(headline, metrics[headline], given),
        "caveats": [
            *model_facts.get("caveats", ()),
            *words.automatic_caveats(headline, metrics[headline], counted[headline]),
        ],
        "splits": {
            name: {
                "table": tables.format(split=name),
                "patients_by_class": counted[name],
                "metrics": metrics[name],
                "curves": curves_of(some, metrics[name]),
            }
            for name, some in predictions.items()
        },
        "facts": tidy(facts),
        "parts": given,
    }


def patients_by_class(predictions: Predictions) -> dict[str, int]:
    """Distinct patients with each class; an image of an unknown patient counts as one."""
    targets, groups = predictions.targets, predictions.patient_groups
    if predictions.multi_label:
        masks = [targets[:, i] == 1 for i in range(len(predictions.classes))]
    else:
        masks = [targets == i for i in range(len(predictions.classes))]
    counts = [len(np.unique(groups[mask])) for mask in masks]
    return dict(zip(predictions.classes, counts, strict=True))
