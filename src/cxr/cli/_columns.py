"""The options that say what a table's columns and the file names mean."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

LabelColumn = Annotated[str | None, typer.Option(help="Column of the label.")]
LabelColumns = Annotated[
    str | None, typer.Option(help="Several columns of 1/0/blank, joined by commas.")
]
PathColumn = Annotated[str | None, typer.Option(help="Column of the image path.")]
PatientColumn = Annotated[str | None, typer.Option(help="Column of the patient.")]
PatientPattern = Annotated[
    str, typer.Option(help="auto, a known pattern, or a regular expression with one group.")
]
ImageRoot = Annotated[Path | None, typer.Option(help="Where a table's paths start.")]


def listed(columns: str | None) -> tuple[str, ...] | None:
    """`--label-columns Edema,Mass` taken apart."""
    return tuple(columns.split(",")) if columns else None
