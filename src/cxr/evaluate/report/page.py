"""The page, from top to bottom. It holds no patient's name or id and no image's path."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from ..._io import write_text
from ..figures import render_figures, save_figures
from ..figures.style import size_note
from ..predictions import Predictions
from . import words
from .html import Html, bullets, element, join, picture, table
from .tables import class_table, facts_table, figures_table

NO_POPULATION = (
    "Not stated. The figures hold only for patients like those that the model learnt from, so say "
    "who they were (age, country, hospital, how they were chosen) before you share this report."
)
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
CAPTIONS = {
    "roc": "ROC curve: the trade between found cases and false alarms.",
    "precision_recall": "Precision-recall curve: how far positive answers can be trusted.",
    "reliability": "Reliability: points on the dotted line mean that 80% said is 80% seen.",
    "confusion": "Confusion matrix: images by actual and predicted class, shares of each row.",
    "scores": "How the stated probabilities spread.",
}


def write_report(
    folder: Path | str,
    metrics: Mapping[str, Any],
    predictions: Mapping[str, Predictions],
    *,
    model_facts: Mapping[str, Any],
    population: str,
    tables: str = "predictions_{split}.csv",
) -> Path:
    """Writes `folder/report.html`, and its figures as `folder/figures/{split}_{name}.png`.

    `metrics` is what `metrics.json` holds and `predictions` the tables that it was measured on, by
    split. `model_facts` (name -> text, number or list) are listed; `caveats` among them, a list
    of sentences, come right after the first sentence. `population` says whose images the model
    learnt from, `tables` what their files are called. Everything given is escaped.
    """
    folder = Path(folder)
    facts = {name: value for name, value in model_facts.items() if name != "caveats"}
    sections = []
    for split, some in predictions.items():
        figures = render_figures(some, metrics[split])
        save_figures(figures, folder / "figures", prefix=f"{split}_")
        sections.append(_split(split, metrics[split], figures))
    body = join(
        [
            element("p", metrics["about"]["research_use_only"], class_="banner", role="note"),
            _opening(metrics, predictions, model_facts.get("caveats", ())),
            element("h2", "Who the model learnt from"),
            element("p", population or NO_POPULATION),
            *sections,
            element("h2", "Limits"),
            bullets(words.LIMITS),
            _reproduce(metrics, [(name, tables.format(split=name)) for name in predictions], facts),
            element("footer", f"Written by {metrics['about']['generator']}."),
        ]
    )
    return write_text(folder / "report.html", _document(body))


def _document(body: Html) -> str:
    css = files(__package__).joinpath("report.css").read_text(encoding="utf-8")
    head = element(
        "head",
        element("meta", charset="utf-8"),
        Html(f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", "Evaluation of a chest X-ray classifier"),
        element("style", Html(css)),
    )
    page = element("html", head, element("body", body), lang="en")
    return f"<!doctype html>\n{page}\n"


def _opening(
    metrics: Mapping[str, Any], predictions: Mapping[str, Predictions], caveats: Any
) -> Html:
    split = words.headline_split(list(predictions))
    counted = patients_by_class(predictions[split])
    caveats = [*caveats, *words.automatic_caveats(split, metrics[split], counted)]
    return join(
        [
            element("h1", "Evaluation of a chest X-ray classifier"),
            element("p", words.finding(split, metrics[split]), class_="lead"),
            bullets(caveats) if caveats else Html(""),
        ]
    )


def patients_by_class(predictions: Predictions) -> dict[str, int]:
    """Distinct patients with each class; an image of an unknown patient counts as one."""
    targets, groups = predictions.targets, predictions.patient_groups
    if predictions.multi_label:
        masks = [targets[:, i] == 1 for i in range(len(predictions.classes))]
    else:
        masks = [targets == i for i in range(len(predictions.classes))]
    counts = [len(np.unique(groups[mask])) for mask in masks]
    return dict(zip(predictions.classes, counts, strict=True))


def _split(split: str, metrics: Mapping[str, Any], figures: Mapping[str, bytes]) -> Html:
    title = f"{words.split_name(split).capitalize()}: {size_note(dict(metrics))}"
    parts = [element("h2", title), figures_table(metrics), _about_intervals(metrics)]
    if "per_class" in metrics:
        parts += [element("h3", "Each class against the rest"), class_table(metrics)]
    if metrics["positive"] is not None:
        parts.append(_operating_point(metrics))
    pictures = (picture(png, CAPTIONS[name], CAPTIONS[name]) for name, png in figures.items())
    parts += [element("h3", "Figures"), element("div", *pictures, class_="figures")]
    return join(parts)


def _about_intervals(metrics: Mapping[str, Any]) -> Html:
    intervals = metrics["intervals"]
    note = f" Note: {intervals['note']}." if "note" in intervals else ""
    return element(
        "p",
        f"Intervals: {intervals['method']}; {intervals['resamples']:,} resamples, "
        f"seed {intervals['seed']}.{note}",
        class_="soft",
    )


def _operating_point(metrics: Mapping[str, Any]) -> Html:
    heading = element(
        "h3", f"What this means for patients, at threshold {metrics['threshold']:.3g}"
    )
    if metrics["sensitivity"]["value"] is None or metrics["specificity"]["value"] is None:
        return join([heading, element("p", "Cannot be said: all images are of one class.")])
    header = (
        "Prevalence", f"With {metrics['positive']}", "Found", "Missed", "False alarms",
        "A positive is right", "A negative is right",
    )  # fmt: skip
    return join(
        [
            heading,
            element("p", words.operating_sentence(metrics)),
            table(header, words.operating_rows(metrics)),
            element(
                "p",
                "Of 1,000 patients; in brackets 95% intervals, wider in the last two columns.",
                class_="soft",
            ),
        ]
    )


def _reproduce(
    metrics: Mapping[str, Any], tables: list[tuple[str, str]], facts: Mapping[str, Any]
) -> Html:
    lines = ["from cxr.evaluate import measure, read_predictions", ""]
    for split, name in tables:
        one = metrics[split]
        lines.append(
            f'measure(read_predictions("{name}", positive={one["positive"]!r}), '
            f"threshold={_threshold(one)}, resamples={one['intervals']['resamples']}, "
            f"seed={one['intervals']['seed']})"
        )
    told = [element("h3", "The model"), facts_table(facts)] if facts else []
    return join(
        [
            element("h2", "How to reproduce"),
            element(
                "p",
                "The tables of predictions and metrics.json lie beside this page; "
                "these lines give the same figures again.",
            ),
            element("pre", element("code", "\n".join(lines))),
            *told,
        ]
    )


def _threshold(metrics: Mapping[str, Any]) -> float:
    return metrics["threshold"] if isinstance(metrics["threshold"], float) else 0.5
