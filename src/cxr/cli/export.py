"""`cxr export MODEL --onnx OUT`: the network for other runtimes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..errors import UsageError
from ._options import ImageRoot, Json
from ._output import emit


def export(
    model: Annotated[Path, typer.Argument(help="A model.cxr.")],
    onnx: Annotated[
        Path,
        typer.Option(
            "--onnx",
            help="The file to write: .onnx for the network alone, .cxr for a copy of the model "
            "that holds it too, which a server runs without torch.",
        ),
    ],
    int8: Annotated[
        bool,
        typer.Option(
            "--int8",
            help="In 8-bit integers; written only if it decides all images of --data as before, "
            "and faster here.",
        ),
    ] = False,
    data: Annotated[Path | None, typer.Option(help="For --int8: a data set or manifest.")] = None,
    split: Annotated[
        str | None,
        typer.Option(help="For --int8: decide this split alone, as valid; default: all."),
    ] = None,
    image_root: ImageRoot = None,
    similar: Annotated[
        Path | None,
        typer.Option(
            help="Also put small images of up to 2,000 training images of this data set or "
            "manifest into the .cxr, to be shown beside similar new ones. They are images of "
            "patients: whoever has the file can see them."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Write the network as ONNX, checked against the model on the spot.

    Example: cxr export runs/a/model.cxr --onnx served.cxr
    """
    if similar is not None and (int8 or onnx.suffix != ".cxr"):
        raise UsageError("--similar puts images into a model file: let --onnx end in .cxr")
    if int8:
        _export_int8(model, onnx, data, split, image_root, json)
        return
    from ..apply.onnx import export_onnx

    difference = export_onnx(model, onnx)
    if similar is not None:
        _add_similar(onnx, similar, image_root)
    emit(
        {"onnx": onnx, "largest_difference": difference},
        json,
        f"{onnx}: outputs agree with {model} within {difference:.1e}",
        [_next(model, onnx)],
    )


def _next(model: Path, onnx: Path) -> tuple[object, ...]:
    """A model file is served; of a network alone, the rest of its model says what it expects."""
    return ("serve", onnx) if onnx.suffix == ".cxr" else ("doctor", model)


def _add_similar(model: Path, data: Path, image_root: Path | None) -> None:
    from ..bundle.add_similar import with_similar
    from ..find import read_manifest

    with_similar(model, model, read_manifest(data, image_root=image_root))


def _export_int8(
    model: Path,
    out: Path,
    data: Path | None,
    split: str | None,
    image_root: Path | None,
    json: bool,
) -> None:
    from ..apply.onnx import export_int8

    if data is None:
        raise UsageError("--int8 needs --data: the images that it must decide as the model does")
    found = export_int8(model, out, data, split, image_root)
    words = found.in_words()
    written = f"{out}: {words}" if found.kept else f"{words}; nothing was written"
    then = [_next(model, out)] if found.kept else []
    emit({"onnx": out if found.kept else None, **found.as_dict()}, json, written, then)
    if not found.kept:
        raise typer.Exit(1)
