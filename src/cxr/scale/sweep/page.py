"""A sweep as a table for machines and a page for people, in the style of the report."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..._io import atomic_path, write_text
from ..._io.html import Html, Row, Scale, bars, bullets, document, element, join, remark, table
from ..._io.text import figure_text
from .space import in_words
from .text import headline, signed

Facts = Mapping[str, Any]
TITLE = "Sweep of settings for a chest X-ray classifier"


def write_table(rows: Sequence[Facts], path: Path) -> Path:
    """`sweep.csv`, one row a trial; blank where there is no figure."""
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        flat = [_flat(row) for row in rows]
        writer = csv.DictWriter(file, list(flat[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(flat)
    return path


def _flat(row: Facts) -> dict[str, Any]:
    auroc, lead = row["auroc"] or {}, row["behind_best"] or {}
    return {
        "trial": row["trial"],
        **row["settings"],
        "auroc": auroc.get("value"),
        "auroc_low": auroc.get("low"),
        "auroc_high": auroc.get("high"),
        "behind_best": lead.get("value"),
        "behind_best_low": lead.get("low"),
        "behind_best_high": lead.get("high"),
        "apart_from_best": lead.get("apart"),
        "log_loss": row["log_loss"],
        "seconds": row["seconds"],
        "error": row["error"],
    }


def write_page(result: Facts, path: Path) -> Path:
    """`sweep.html`; everything given is escaped, nothing is loaded from anywhere."""
    first, *more = result["sentences"]
    body = [
        element("p", result["about"]["research_use_only"], class_="banner", role="note"),
        element(
            "div",
            element(
                "header",
                element("p", TITLE, class_="eyebrow"),
                element("h1", first),
            ),
            element(
                "main",
                _section("What may be said", bullets(more)),
                _section("Trials", _figure(result), _table(result)),
                _section("How it was done", bullets(_design(result))),
                _section("Whose images", element("p", result["population"])),
                element("footer", f"Written by {result['about']['generator']}."),
            ),
            class_="sheet",
        ),
    ]
    return write_text(path, document(TITLE, headline(result), join(body)))


def _section(title: str, *body: Html) -> Html:
    return element("section", element("h2", title), *body)


def _figure(result: Facts) -> Html:
    """The inner figure of each trial, the best at the top, and under all the outer one."""
    done = sorted(
        (row for row in result["trials"] if row["auroc"] is not None),
        key=lambda row: -row["auroc"]["value"],
    )
    shown = [_bar(f"{r['trial']}: {in_words(r['settings'])}", r["auroc"]) for r in done]
    outer = _bar(f"outer: trial {result['choice']['trial']}", result["outer"]["auroc"], "bad")
    lowest = min(row.figure.get("low", row.figure["value"]) for row in [*shown, outer])
    low = min(max(int(lowest * 10) / 10, 0.0), 0.9)
    caption = "AUROC with 95% interval: inner images for each trial, outer images for the best"
    return element(
        "figure",
        element("figcaption", caption),
        bars([*shown, outer], Scale(low, 1.0), (f"{low:.1f}", "1.0")),
    )


def _bar(label: str, figure: Facts, tone: str = "") -> Row:
    return Row(label, figure, figure_text(figure), tone)


def _table(result: Facts) -> Html:
    names = list(result["space"])
    header = ("Trial", *names, "Inner AUROC", "Behind the best", "Apart", "Training", "Failed")
    rows = [
        (row["trial"], *(str(row["settings"][name]) for name in names), *_cells(row))
        for row in result["trials"]
    ]
    note = "Behind the best: intervals for all pairs at once. Training: seconds, as they fell."
    return join([table(header, rows, "All trials"), remark(note)])


def _cells(row: Facts) -> tuple[str, ...]:
    if row["error"] is not None:
        return "", "", "", "", row["error"]
    lead = row["behind_best"]
    if lead["apart"] is None:
        behind, apart = "the best", ""
    else:
        behind, apart = signed(lead), "yes" if lead["apart"] else "no"
    seconds = "" if row["seconds"] is None else f"{row['seconds']:,.0f} s"
    return figure_text(row["auroc"]), behind, apart, seconds, ""


def _design(result: Facts) -> list[str]:
    data = result["data"]
    folds = data["inner_folds"]
    inner = (
        f"{data['inner_train']:,} to learn from and {data['inner_valid']:,} to be judged on"
        if folds == 1
        else f"{folds} folds; a trial is trained once for each and judged by the mean"
    )
    return [
        f"Outer split of {data['images']:,} images ({data['split']}, seed {data['seed']}): "
        f"{data['outer_train']:,} training, {data['outer_valid']:,} validation images. It is the "
        "split that cxr train makes with these settings.",
        f"Inner split of the outer training images, by patient: {inner}. No trial had an outer "
        "validation image in its table.",
        "Judged by the AUROC, which asks nothing of the calibration; ties by the log loss.",
        "The choice was written down (chosen.json) before the last run, which trained the chosen "
        "setting on all outer training images and was measured on the outer validation images "
        "once.",
        f"Search: {result['search']}. Every run used {result['cpus_per_trial']} thread(s) and the "
        "same seed, so that the number of workers changes nothing.",
    ]
