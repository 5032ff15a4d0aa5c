"""`cxr stress MODEL DATA --out DIR`: what do other images and damage do to a model's figures?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..config import ManifestOptions
from ._options import Json, as_typed, with_manifest_options
from ._output import emit


@with_manifest_options
def stress(
    model: Annotated[Path, typer.Argument(help="A model.cxr.")],
    data: Annotated[Path, typer.Argument(help="Labelled images: a folder or a table.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for stress.json and stress.png.")],
    split: Annotated[
        str | None,
        typer.Option(help="Only this split; default: test where there is one, else all."),
    ] = None,
    images: Annotated[
        int, typer.Option(help="At most so many images, of whole patients at random.", min=1)
    ] = 1000,
    *,
    options: ManifestOptions,
    seed: Annotated[
        int, typer.Option(help="Of the choice of patients, the noise, the bootstrap.")
    ] = 0,
    json: Json = False,
) -> None:
    """Stress a model: its figures when images are exposed, framed, marked or damaged otherwise.

    Example: cxr stress runs/a/model.cxr chest_xrays --out stress
    """
    from ..report.stress import stress_table
    from ..workflows.stress import stress_model

    result = stress_model(
        model,
        data,
        out,
        split=split,
        images=images,
        seed=seed,
        options=options,
    )
    of = ("--split", split) if split else ()
    report = ("evaluate", model, data, "--out", "evaluated", "--stress", out / "stress.json", *of)
    human = f"{stress_table(result)}\nfigure: {out / 'stress.png'}"
    emit(result, json, human, [(*report, *as_typed(options))])
