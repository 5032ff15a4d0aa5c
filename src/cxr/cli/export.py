"""`cxr export MODEL --onnx OUT`: the network for other runtimes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ._common import emit


def export(
    model: Annotated[Path, typer.Argument(help="A model.cxr.")],
    onnx: Annotated[Path, typer.Option("--onnx", help="The .onnx file to write.")],
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Write the network as ONNX, checked against the model on the spot."""
    from ..apply.onnx import export_onnx

    difference = export_onnx(model, onnx)
    emit(
        {"onnx": onnx, "largest_difference": difference},
        json,
        f"{onnx}: outputs agree with {model} within {difference:.1e}",
    )
