"""`cxr demo`: the five steps on synthetic X-rays, offline."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ._options import Json
from ._output import emit, metrics_line, prediction_line


def demo(
    out: Annotated[Path, typer.Option("--out", help="Folder for data and run.")] = Path("demo"),
    images: Annotated[int, typer.Option(help="Synthetic images to draw.")] = 600,
    seed: Annotated[int, typer.Option(help="The same seed gives the same result.")] = 42,
    json: Json = False,
) -> None:
    """Find, check, prepare, train and apply on synthetic images: what a run looks like.

    Example: cxr demo --out demo
    """
    from ..workflows.demo import run_demo

    result = run_demo(out, images=images, seed=seed)
    emit(
        {
            "run": result.run.folder,
            "report": result.run.report,
            "metrics": result.run.metrics,
            "prediction": result.row,
        },
        json,
        f"{metrics_line(result.run.metrics, 'valid')}\n"
        f"prediction: {prediction_line(result.row)}\n"
        f"report: {result.run.report.absolute()}\n"
        "The images are SYNTHETIC: the figures say nothing of real patients.",
        [("serve", result.run.model), ("check", "YOUR_IMAGES")],
    )
