"""`cxr evaluate MODEL DATA --out DIR`: how good is a model on these images?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ._common import emit
from .train import summary


def evaluate(
    model: Annotated[Path, typer.Argument(help="A model.cxr.")],
    data: Annotated[Path, typer.Argument(help="Labelled images: a folder or a table.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for metrics, tables and report.")],
    split: Annotated[
        str | None,
        typer.Option(help="Only this split; default: test where there is one, else all."),
    ] = None,
    label_column: Annotated[str | None, typer.Option(help="Column of the label.")] = None,
    label_columns: Annotated[str | None, typer.Option(help="Columns, joined by commas.")] = None,
    path_column: Annotated[str | None, typer.Option(help="Column of the image path.")] = None,
    patient_column: Annotated[str | None, typer.Option(help="Column of the patient.")] = None,
    patient_pattern: Annotated[str, typer.Option(help="As in cxr train.")] = "auto",
    image_root: Annotated[Path | None, typer.Option(help="Where a table's paths start.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the bootstrap.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print the metrics as JSON.")] = False,
) -> None:
    """Measure a model on labelled images: metrics with intervals, predictions, a report."""
    from ..evaluation import evaluate_model

    metrics = evaluate_model(
        model,
        data,
        out,
        split=split,
        seed=seed,
        label_column=label_column,
        label_columns=label_columns.split(",") if label_columns else None,
        path_column=path_column,
        patient_column=patient_column,
        patient_pattern=patient_pattern,
        image_root=image_root,
    )
    name = next(key for key in metrics if key != "about")
    emit(metrics, json, f"{summary(metrics, name)}\nreport: {out / 'report.html'}")
