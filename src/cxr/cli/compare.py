"""`cxr compare A B`: is one model better than another on the same images?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ._output import emit

FOLDER = Path("compare")
MEASURE = ("evaluate", "MODEL", "OTHER_IMAGES", "--out", "other")
PLACE = "a run folder, a folder of cxr evaluate, or a predictions table."


def compare(
    a: Annotated[Path, typer.Argument(help=f"First model: {PLACE}")],
    b: Annotated[Path, typer.Argument(help="Second model, likewise.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for compare.json.")] = FOLDER,
    split: Annotated[
        str | None,
        typer.Option(help="Of folders with several splits; default: test, else valid."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the bootstrap.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print compare.json.")] = False,
) -> None:
    """Compare two models on the same images: differences with intervals, DeLong, McNemar.

    Example: cxr compare runs/a runs/b --out compare
    """
    from ..evaluate import compare_models
    from ..report.comparison import comparison_sentences

    result = compare_models(a, b, out, split=split, seed=seed)
    lines = [*comparison_sentences(result), f"written: {out / 'compare.json'}"]
    emit(result, json, "\n".join(lines), [MEASURE])
