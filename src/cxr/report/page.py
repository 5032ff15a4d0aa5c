"""The report as files: report.json, the figures, and the page that is made of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .._io import write_json, write_text
from .._io.html import document, element, join
from .._io.run_files import FIGURES, PREDICTIONS, REPORT, REPORT_JSON
from ..evaluate.predictions import Predictions
from .compose import report_of
from .figures import render_figures, save_figures, save_images
from .material import Report
from .parts import ReportParts
from .sections import opening, sections_of

TITLE = "Evaluation of a chest X-ray classifier"


def write_report(
    folder: Path | str,
    metrics: Mapping[str, Any],
    predictions: Mapping[str, Predictions],
    *,
    model_facts: Mapping[str, Any],
    population: str,
    tables: str = PREDICTIONS,
    parts: ReportParts | None = None,
) -> Path:
    """Writes `report.html`, `report.json` and `figures/{split}_{name}.png` into `folder`.

    `metrics` is what `metrics.json` holds and `predictions` the tables that it was measured on, by
    split. `model_facts` (name -> text, number or list) are listed; `caveats` among them, a list
    of sentences, come right after the first sentence. `population` says whose images the model
    learnt from, `tables` what their files are called. `parts` are results of other steps; their
    images are written to `figures/` too. Everything given is escaped.
    """
    folder, parts = Path(folder), parts or ReportParts()
    for split, some in predictions.items():
        figures = render_figures(some, metrics[split])
        save_figures(figures, folder / FIGURES, prefix=f"{split}_")
    report = report_of(
        metrics,
        predictions,
        model_facts=model_facts,
        population=population,
        tables=tables,
        parts=parts,
    )
    write_json(folder / REPORT_JSON, report)
    save_images(parts.images, folder / FIGURES)
    return write_text(folder / REPORT, page_of(report, parts.images))


def page_of(report: Mapping[str, Any], images: Mapping[str, bytes]) -> str:
    """The page of what `report.json` holds; `images` by the names that it calls them."""
    shown = Report(report, images)
    drawn = [(section, section.render(shown)) for section in sections_of(shown)]
    there = [(section, body) for section, body in drawn if body is not None]
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
