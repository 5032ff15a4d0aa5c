"""The report as files: report.json, the figures, and the page that is made of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .._io import write_json, write_text
from .._io.html import Html, document, element, join
from .._io.run_files import FIGURES, REPORT, REPORT_JSON
from ..evaluate.predictions import Predictions
from .content import Report, report_of
from .context import ReportContext
from .figures import Drawing, render_figures, render_history, save_images
from .sections import opening, sections_of

TITLE = "Evaluation of a chest X-ray classifier"


def write_report(
    folder: Path | str,
    metrics: Mapping[str, Any],
    predictions: Mapping[str, Predictions],
    context: ReportContext,
) -> Path:
    """Writes `report.html`, `report.json` and `figures/{split}_{name}.png` into `folder`.

    `metrics` is what `metrics.json` holds and `predictions` the tables that it was measured on, by
    split. The images of `context` are written to `figures/` too. Everything given is escaped.
    """
    folder = Path(folder)
    report = report_of(metrics, predictions, context)
    write_json(folder / REPORT_JSON, report)
    drawn = {name: render_figures(split, name) for name, split in report["splits"].items()}
    files = {
        f"{split}_{name}.png": drawing.png
        for split, drawings in drawn.items()
        for name, drawing in drawings.items()
    }
    save_images({**files, **context.images}, folder / FIGURES)
    return write_text(folder / REPORT, page_of(report, context.images, drawn))


def page_of(
    report: Mapping[str, Any],
    images: Mapping[str, bytes],
    drawn: Mapping[str, Mapping[str, Drawing]] | None = None,
) -> str:
    """The page of what `report.json` holds; `images` by the names that it calls them.

    `drawn`: what `render_figures` gave for each split, where that is there already.
    """
    shown = Report(report, images, _charts(report, drawn))
    sections = [(section, section.render(shown)) for section in sections_of(shown)]
    there = [(section, body) for section, body in sections if body is not None]
    links = [
        element("li", element("a", section.title.partition(":")[0], href=f"#{section.anchor}"))
        for section, _ in there
    ]
    about = report["about"]
    body = join(
        [
            element("p", about["research_use_only"], class_="banner", role="note"),
            element(
                "div",
                element("header", opening.render(shown)),
                element("nav", element("ul", *links), aria_label="Contents"),
                element(
                    "main",
                    *(
                        element("section", element("h2", one.title), text, id=one.anchor)
                        for one, text in there
                    ),
                    element("footer", f"Written by {about['generator']}."),
                ),
                class_="sheet",
            ),
        ]
    )
    return document(TITLE, report["verdict"]["headline"], body)


def _charts(
    report: Mapping[str, Any], drawn: Mapping[str, Mapping[str, Drawing]] | None
) -> dict[str, Html]:
    """`valid-roc` and so on: each figure of each split, and those of the training history."""
    if drawn is None:
        drawn = {name: render_figures(split, name) for name, split in report["splits"].items()}
    charts = {
        f"{split}-{name}": drawing.svg
        for split, drawings in drawn.items()
        for name, drawing in drawings.items()
    }
    return charts | render_history(report["parts"].get("history") or ())
