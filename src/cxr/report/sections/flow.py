"""The data flow: images found, left out, and used, with patients and classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..._io.html import Html, element
from ..._io.text import counted
from .. import sentences
from ..content import Report

Json = Mapping[str, Any]
ROLES = {
    "train": "the network was trained on these",
    "valid": "chose the network, the threshold and the scaling of probabilities",
    "test": "not looked at while training",
}


def render(report: Report) -> Html | None:
    flow = report.result("flow")
    if flow is None:
        return None
    found = element("div", element("b", f"{flow['found']:,}"), " images found", class_="box")
    used = element("ul", *(_split(*one) for one in flow["splits"].items()), class_="used")
    return element("div", found, *_left_out(flow), used, class_="flow")


def _left_out(flow: Json) -> list[Html]:
    if not flow["left_out"]:
        return []
    reasons = [
        element("li", element("b", f"{one['n']:,}"), f" {one['why']}") for one in flow["left_out"]
    ]
    return [element("div", "Left out:", element("ul", *reasons), class_="box out")]


def _split(name: str, part: Json) -> Html:
    classes = [
        element("li", element("span", label), element("span", _counted(one), class_="n"))
        for label, one in part["classes"].items()
    ]
    return element(
        "li",
        element("p", element("b", sentences.split_name(name).capitalize())),
        element("p", _counted(part)),
        element("ul", *classes, class_="classes"),
        element("p", ROLES.get(name, ""), class_="soft"),
        class_="box",
    )


def _counted(part: Json) -> str:
    patients = part.get("n_patients")
    images = counted(part["n"], "image")
    return f"{images}, {counted(patients, 'patient')}" if patients else images
