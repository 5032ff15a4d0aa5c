"""`cxr phantom OUT`: write the synthetic data set."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ._options import Json
from ._output import emit


def phantom(
    out: Annotated[Path, typer.Argument(help="Folder to write; it must be new or empty.")],
    images: Annotated[int, typer.Option(help="How many images.")] = 600,
    seed: Annotated[int, typer.Option(help="The same seed gives the same images.")] = 0,
    format: Annotated[str, typer.Option(help="jpeg, png, dicom or mixed.")] = "jpeg",
    layout: Annotated[
        str, typer.Option(help="classes: NORMAL/ and PNEUMONIA/; splits: train/, val/, test/.")
    ] = "classes",
    size: Annotated[int, typer.Option(help="Height of an image in pixels.")] = 256,
    json: Json = False,
) -> None:
    """Write synthetic chest X-rays, NORMAL and PNEUMONIA, to try things out. Not real patients.

    Example: cxr phantom images --images 200 --format dicom
    """
    from ..find.phantom import write_phantom

    folder = write_phantom(out, n_images=images, seed=seed, format=format, layout=layout, size=size)
    result = {
        "out": str(folder),
        "manifest": str(folder / "manifest.csv"),
        "images": images,
        "seed": seed,
        "format": format,
        "layout": layout,
        "size": size,
        "synthetic": True,
    }
    emit(result, json, f"{images} synthetic images in {folder}", [("check", folder)])
