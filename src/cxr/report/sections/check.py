"""Shortcuts and leaks in the data, as `cxr check` found them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..._io.html import Html, Row, Scale, bars, bullets, command, element, join, remark
from ..._io.text import counted, figure_text, sentence
from ..content import Report, is_of_the_split

Json = Mapping[str, Any]
CUES = {
    "shortcut-framing": "Place and size of the lungs",
    "shortcut-surroundings": "Image without its middle",
    "shortcut-thumbnail": "8 x 8 thumbnail",
    "shortcut-borders": "Borders and corners",
    "shortcut-statistics": "Brightness and contrast",
    "shortcut-file": "Facts of the file",
}
SEVERITIES = {"error": "Error", "warning": "Warning", "info": "Good to know"}
BACKGROUND = ("patients", "classes")  # shown in the data flow


def render(report: Report) -> Html:
    check = report.result("check")
    if check is None:
        return element(
            "p", "The data were not checked for shortcuts and leaks, so neither can be ruled out. ",
            "To do so: ", command("cxr check DATA"), ".",
        )  # fmt: skip
    rest = [one for one in check["groups"] if one["code"] not in (*CUES, *BACKGROUND)]
    parts = [element("p", _summary(check)), *_shortcuts(check, report.headline)]
    if check["same_split"] is False:
        elsewhere = [one for one in rest if is_of_the_split(one["code"])]
        rest = [one for one in rest if one not in elsewhere]
        parts += _other_split(elsewhere, check)
    if rest:
        parts += [element("h3", "Leaks and other findings"), _findings(rest)]
    return join(parts)


def _summary(check: Json) -> str:
    data, verdict = check["data"], check["summary"].get("verdict", "")
    text = f"{verdict} {data['images']:,} images were read, on {data['checked']}.".strip()
    if check["quick"]:
        text += (
            " This was the quick check that training makes of unreadable files, equal images, "
            "patients and framing; cxr check DATA looks for more."
        )
    return text


def _shortcuts(check: Json, metrics: Json) -> list[Html]:
    cues = [
        (name if figure == "auroc" else f"{name}, cut to the lungs", about["group"], about[figure])
        for one in check["groups"]
        if (name := CUES.get(one["code"])) is not None
        for about in one["about"]
        for figure in ("auroc", "auroc_after_cut")
        if figure in about
    ]
    if not cues:
        return [element("p", "Shortcuts were not judged: see the findings below.")]
    classes = {group for _, group, _ in cues}
    rows = [
        Row(
            name if len(classes) < 2 else f"{name}: {group}",
            auroc,
            f"AUROC {figure_text(auroc)}",
            "bad",
        )
        for name, group, auroc in sorted(cues, key=lambda one: -one[2]["value"])
    ]
    if metrics["auroc"]["value"] is not None:
        said = f"AUROC {figure_text(metrics['auroc'])}"
        rows.insert(0, Row("This model", metrics["auroc"], said, "own"))
    return [
        element("h3", "Can the label be predicted without the lungs?"),
        element(
            "p",
            "Small models were shown something else than the network sees. The nearer they come "
            "to this model, the less its figures prove that it recognises disease. After the cut "
            "to the lungs it is lung that they are shown, except for its place and size.",
        ),
        bars(rows, Scale(0.5, 1.0), ("0.5, chance", "1")),
        remark(
            "Over all images that were checked, in folds by patient; the model on its own split."
        ),
    ]


def _other_split(groups: Sequence[Json], check: Json) -> list[Html]:
    if not groups:
        return []
    parts = ", ".join(f"{name} {n:,}" for name, n in check["data"]["splits"].items())
    titles = "; ".join(one["title"].lower() for one in groups)
    return [
        element(
            "p",
            f"The check looked at the split that the data came with ({parts}), not the one used "
            f"here; left out of this page: {titles}.",
        )
    ]


def _findings(groups: Sequence[Json]) -> Html:
    return element("ul", *(element("li", *_finding(one)) for one in groups), class_="findings")


def _finding(group: Json) -> list[str]:
    messages = [sentence(about["message"]) for about in group["about"]]
    text = bullets(messages) if len(messages) > 1 else element("p", *messages)
    files, severity = group["files"], str(group["severity"])
    many = f", {counted(files, 'file')}" if files else ""
    actions = "; ".join(group["actions"])
    return [
        element("span", SEVERITIES.get(severity, severity), class_=f"tag {severity}"),
        element("b", group["title"]),
        many,
        text if messages else Html(""),
        remark(f"What to do: {actions}.") if actions else Html(""),
    ]
