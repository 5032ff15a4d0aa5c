"""`cxr evaluate MODEL DATA --out DIR`: how good is a model on these images?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..config import ManifestOptions
from ._options import as_typed, listed, with_manifest_options
from ._output import emit, metrics_line


@with_manifest_options
def evaluate(
    model: Annotated[Path, typer.Argument(help="A model.cxr.")],
    data: Annotated[Path, typer.Argument(help="Labelled images: a folder or a table.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for metrics, tables and report.")],
    split: Annotated[
        str | None,
        typer.Option(help="Only this split; default: test where there is one, else all."),
    ] = None,
    *,
    options: ManifestOptions,
    prevalence: Annotated[
        float | None, typer.Option(help="Share of the ill, 0 to 1: adds PPV and NPV there.")
    ] = None,
    by: Annotated[
        str | None, typer.Option(help="Columns whose groups are measured each, as in age,sex.")
    ] = None,
    check: Annotated[
        Path | None, typer.Option(help="A check.json of these data, to be in the report.")
    ] = None,
    stress: Annotated[
        Path | None, typer.Option(help="A stress.json of this model, to be in the report.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the bootstrap.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print the metrics as JSON.")] = False,
) -> None:
    """Measure a model on labelled images: metrics with intervals, predictions, a report.

    Example: cxr evaluate runs/a/model.cxr other_hospital --out other
    """
    from ..workflows.evaluate import evaluate_model

    metrics = evaluate_model(
        model,
        data,
        out,
        split=split,
        seed=seed,
        prevalence=prevalence,
        by=listed(by) or (),
        check=check,
        stress=stress,
        options=options,
    )
    name = next(key for key in metrics if key != "about")
    human = f"{metrics_line(metrics, name)}\nreport: {out / 'report.html'}"
    emit(metrics, json, human, [_next(model, data, out, stress, split, options)])


def _next(
    model: Path,
    data: Path,
    out: Path,
    stress: Path | None,
    split: str | None,
    options: ManifestOptions,
) -> tuple[object, ...]:
    """The stress test, which the report lacks, or else predictions."""
    if stress is None:
        of = ("--split", split) if split else ()
        return ("stress", model, data, "--out", out / "stress", *of, *as_typed(options))
    return ("predict", model, "IMAGES")
