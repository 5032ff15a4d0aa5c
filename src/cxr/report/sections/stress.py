"""What images that are exposed, framed, stored or damaged otherwise do to the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..._io.html import Html, Row, Scale, bars, bullets, command, element, join, remark
from ..._io.text import counted, images_of_patients, percent, signed_text
from ..content import Report

Json = Mapping[str, Any]
SHOWN = 16


def render(report: Report) -> Html:
    stress = report.result("stress")
    if stress is None:
        return element(
            "p", "How far other exposure, blur, noise, compression or framing would move the ",
            "figures was not measured. To do so: ",
            command("cxr stress MODEL DATA --out FOLDER"), ".",
        )  # fmt: skip
    known = [one for one in stress["changes"] if one["difference"]["accuracy"]["value"] is not None]
    losing = [one for one in known if one["difference"]["accuracy"].get("high", 0) < 0][:SHOWN]
    caveats = stress.get("caveats") or []
    parts = [
        element("p", stress["summary"], class_="key"),
        element("p", _mean(stress["strongest"])),
        bullets(caveats) if caveats else Html(""),
    ]
    if losing:
        parts.append(_drawn(losing))
    parts.append(remark(_rest(known, losing, stress)))
    return join(parts)


def _mean(strongest: Json) -> str:
    moved = strongest["difference"]
    return (
        f"Mean over the {strongest['settings']} strongest settings: accuracy "
        f"{signed_text(moved['accuracy'])}, AUROC {signed_text(moved['auroc'])}."
    )


def _drawn(changes: Sequence[Json]) -> Html:
    lowest = min(_low(one["difference"]["accuracy"]) for one in changes)
    start = -max(0.05, round(-lowest + 0.005, 2))
    rows = [
        Row(
            f"{one['name']}, {one['strength']}",
            one["difference"]["accuracy"],
            _change_text(one),
            "bad",
        )
        for one in changes
    ]
    start_words = f"{start:+.2f} accuracy".replace("-", "\N{MINUS SIGN}")
    return bars(rows, Scale(start, 0.0, 0.0), (start_words, "as before"))


def _low(figure: Json) -> float:
    return float(figure.get("low", figure["value"]))


def _change_text(change: Json) -> str:
    text = signed_text(change["difference"]["accuracy"])
    share = change.get("decisions_changed", {}).get("value")
    return text if share is None else f"{text}, {percent(share)} flip"


def _rest(known: Sequence[Json], losing: Sequence[Json], stress: Json) -> str:
    rest = [one["difference"]["accuracy"]["value"] for one in known if one not in losing]
    lines = [
        f"Change of accuracy against the plain images, with 95% intervals, and how many "
        f"answers flip; {_who(stress)}."
    ]
    if rest:
        span = f"{min(rest):+.3f} to {max(rest):+.3f}".replace("-", "\N{MINUS SIGN}")
        lines.append(
            f"The {counted(len(rest), 'other setting')} moved it by {span}; all are in stress.json."
        )
    return " ".join(lines)


def _who(stress: Json) -> str:
    split = stress.get("split", "all")
    return images_of_patients(stress) + ("" if split == "all" else f", split {split}")
