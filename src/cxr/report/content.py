"""report.json: all that the page shows, before there is a page; no path on a disk is in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

import numpy as np

from .._io.files import finite_or_none
from .._io.html import Html
from ..evaluate.predictions import Predictions
from . import sentences
from .context import ReportContext
from .curves import curves_of
from .set_aside import shared_patients
from .verdict import verdict_of

Json = Mapping[str, Any]
FORMAT = 1
MESSAGES, ACTIONS = 8, 2
OF_THE_SPLIT = ("across-splits", "class-too-small", "splits-differ")


@dataclass(frozen=True)
class Report:
    """`data` is what report.json holds; `images` the files and `charts` the figures of the page."""

    data: Json
    images: Mapping[str, bytes]
    charts: Mapping[str, Html]

    @property
    def splits(self) -> Json:
        splits: Json = self.data["splits"]
        return splits

    @property
    def headline(self) -> Json:
        """The metrics that the first sentence speaks of."""
        metrics: Json = self.splits[self.data["headline"]]["metrics"]
        return metrics

    def result(self, name: str) -> Any:
        """Of another step; None where it was not given."""
        return self.data["parts"].get(name)


def report_of(
    metrics: Json, predictions: Mapping[str, Predictions], context: ReportContext
) -> dict[str, Any]:
    """What `report.json` holds, in JSON types; arguments as those of `write_report`."""
    facts = {name: value for name, value in context.model_facts.items() if name != "caveats"}
    results = tidy(context.results())
    if "check" in results:
        results["check"] = condense_check(results["check"], results.get("flow"))
    headline = sentences.headline_split(list(predictions))
    patients = {name: patients_by_class(some) for name, some in predictions.items()}
    return {
        "format": FORMAT,
        "about": metrics["about"],
        "headline": headline,
        "population": context.population,
        "verdict": verdict_of(headline, metrics[headline], results, patients[headline]),
        "caveats": [
            *context.model_facts.get("caveats", ()),
            *filter(None, [shared_patients(metrics[headline])]),
            *sentences.automatic_caveats(headline, metrics[headline], patients[headline]),
        ],
        "splits": {
            name: {
                "table": context.tables.format(split=name),
                "patients_by_class": patients[name],
                "metrics": metrics[name],
                "curves": curves_of(some, metrics[name]),
            }
            for name, some in predictions.items()
        },
        "facts": tidy(facts),
        "parts": results,
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


def condense_check(check: Json, flow: Json | None) -> dict[str, Any]:
    """Findings by code, the worst first; messages only of what concerns the whole set.

    `same_split` says whether the check looked at the split that the figures are of; None where
    that is not known.
    """
    from ..check.finding import title

    groups: dict[tuple[str, str], list[Json]] = {}
    for finding in check["findings"]:
        groups.setdefault((finding["severity"], finding["code"]), []).append(finding)
    return {
        "data": check["data"],
        "summary": check["summary"],
        "quick": check.get("quick", False),
        "same_split": _same_split(check["data"], flow),
        "groups": [
            {"severity": severity, "code": code, "title": title(code), **_summed_up(some)}
            for (severity, code), some in groups.items()
        ],
    }


def is_of_the_split(code: str) -> bool:
    """Whether a finding is about how the images are split."""
    return any(part in code for part in OF_THE_SPLIT)


def tidy(value: Any) -> Any:
    """In JSON types: absolute paths cut down to their last part, NaN and infinities as None."""
    if isinstance(value, Mapping):
        return {str(key): tidy(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [tidy(one) for one in value]
    if isinstance(value, float):
        return finite_or_none(value)
    if value is None or isinstance(value, int):
        return value
    return _last_part(str(value))


def _last_part(text: str) -> str:
    for kind in (PurePosixPath, PureWindowsPath):
        if kind(text).is_absolute():
            return kind(text).name or "."
    return text


def _summed_up(findings: Sequence[Json]) -> dict[str, Any]:
    of_the_set = [one for one in findings if one.get("path") is None]
    about = [_about(one) for one in of_the_set[:MESSAGES]]
    actions = dict.fromkeys(one["action"] for one in findings if one.get("action"))
    return {
        "n": len(findings),
        "files": len({one["path"] for one in findings} - {None}),
        "about": about,
        "actions": list(actions)[:ACTIONS],
    }


def _about(finding: Json) -> dict[str, Any]:
    evidence = finding.get("evidence", {})
    figures = {name: evidence.get(name) for name in ("auroc", "auroc_after_cut")}
    known = {name: one for name, one in figures.items() if one and one.get("value") is not None}
    return {"message": finding["message"], "group": finding.get("group"), **known}


def _same_split(data: Json, flow: Json | None) -> bool | None:
    checked = data.get("splits")
    if flow is None or not checked:
        return None
    return all(checked.get(name) == part["n"] for name, part in flow["splits"].items())
