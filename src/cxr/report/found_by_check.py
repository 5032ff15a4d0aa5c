"""What `cxr check` found that speaks against the figures of a model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .set_aside import shared_patients

Json = Mapping[str, Any]
LEAKS = ("copy-across-splits", "near-copy-across-splits", "patients-across-splits")
FRAMING, GIVES_AWAY = "shortcut-framing", 0.8  # as cxr check warns of shortcuts


def leaking(metrics: Json, results: Json) -> list[Json]:
    """The check's errors that make these figures too good; none where it checked another split.

    Nor patients on both sides where those of the test images were counted, which says more.
    """
    check = results.get("check")
    if check is None or check["same_split"] is False:
        return []
    counted = bool(shared_patients(metrics))
    leaks = [one for one in LEAKS if not (counted and one == "patients-across-splits")]
    return [one for one in check["groups"] if one["code"] in leaks]


def shortcuts(results: Json) -> list[Json]:
    """The check's warnings of labels that need no lungs to be predicted, the strongest first.

    The framing counts as far as it is left after the cut, where that is what the model sees.
    """
    groups = results["check"]["groups"] if "check" in results else []
    lungs = results.get("settings", {}).get("frame") == "lungs"
    cues = []
    for one in groups:
        figure = "auroc_after_cut" if lungs and one["code"] == FRAMING else "auroc"
        if one["code"].startswith("shortcut-") and one["severity"] == "warning":
            cues += [
                {**about, "code": one["code"], "title": one["title"], "auroc": about[figure]}
                for about in one["about"]
                if about.get(figure, {}).get("value", 0) > GIVES_AWAY
            ]
    return sorted(cues, key=lambda one: -one["auroc"]["value"])
