"""Of the parts, what the page shows: no finding about a single file, no path on a disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

from .._io.files import finite_or_none

Json = Mapping[str, Any]
MESSAGES, ACTIONS = 8, 2
OF_THE_SPLIT = ("across-splits", "class-too-small", "splits-differ")


def condense_check(check: Json, flow: Json | None) -> dict[str, Any]:
    """Findings by code, the worst first; messages only of what concerns the whole set.

    `same_split` says whether the check judged the split that the figures are of; None where that
    is not known.
    """
    from ..check.finding import title

    groups: dict[tuple[str, str], list[Json]] = {}
    for finding in check["findings"]:
        groups.setdefault((finding["severity"], finding["code"]), []).append(finding)
    return {
        "data": check["data"],
        "summary": check["summary"],
        "same_split": _same_split(check["data"], flow),
        "groups": [
            {"severity": severity, "code": code, "title": title(code), **_told(some)}
            for (severity, code), some in groups.items()
        ],
    }


def is_of_the_split(code: str) -> bool:
    """Whether a finding judges how the images are split."""
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


def _told(findings: Sequence[Json]) -> dict[str, Any]:
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
    auroc = finding.get("evidence", {}).get("auroc")
    told = {"message": finding["message"], "group": finding.get("group")}
    return {**told, "auroc": auroc} if auroc and auroc.get("value") is not None else told


def _same_split(data: Json, flow: Json | None) -> bool | None:
    judged = data.get("splits")
    if flow is None or not judged:
        return None
    return all(judged.get(name) == part["n"] for name, part in flow["splits"].items())
