"""Options that several commands share, each declared once."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, get_args

import typer

from ..config import Layout, ManifestOptions, require_one_of

CHECK_FOLDER = Path("check")  # where cxr check writes by default
QUARANTINE = "quarantine.csv"


def one_of(kind: Any, what: str = "") -> str:
    """The help of an option with the values of `kind`, a Literal: "What: a, b or c."."""
    *values, last = get_args(kind)
    return f"{what}{': ' if what else ''}{', '.join(values)} or {last}."


Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
LabelColumns = Annotated[
    str | None, typer.Option(help="Several columns of 1/0/blank, joined by commas.")
]
ImageRoot = Annotated[Path | None, typer.Option(help="Where a table's paths start.")]
MANIFEST_OPTIONS: dict[str, tuple[Any, Any]] = {  # name -> annotation, default
    "layout": (
        Annotated[str, typer.Option(help=one_of(Layout, "How the images lie on the disk"))],
        "auto",
    ),
    "label_column": (Annotated[str | None, typer.Option(help="Column of the label.")], None),
    "label_columns": (LabelColumns, None),
    "path_column": (Annotated[str | None, typer.Option(help="Column of the image path.")], None),
    "patient_column": (Annotated[str | None, typer.Option(help="Column of the patient.")], None),
    "patient_pattern": (
        Annotated[
            str, typer.Option(help="auto, a known pattern, or a regular expression with one group.")
        ],
        "auto",
    ),
    "image_root": (ImageRoot, None),
}


def with_manifest_options(command: Callable[..., None]) -> Callable[..., None]:
    """The command with `--layout`, `--label-column` ... for its parameter `options`."""
    signature = inspect.signature(command, eval_str=True)
    own = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=kind, default=default)
        for name, (kind, default) in MANIFEST_OPTIONS.items()
    ]

    @functools.wraps(command)
    def called(**given: Any) -> None:
        read = {name: given.pop(name) for name in MANIFEST_OPTIONS}
        require_one_of("layout", read["layout"], Layout)
        read["label_columns"] = listed(read["label_columns"])
        command(**given, options=ManifestOptions(**read))

    parameters = [
        one
        for parameter in signature.parameters.values()
        for one in (own if parameter.name == "options" else [parameter])
    ]
    called.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    called.__annotations__ = {one.name: one.annotation for one in parameters}
    return called


def listed(columns: str | None) -> tuple[str, ...] | None:
    """`--label-columns Edema,Mass` taken apart."""
    return tuple(columns.split(",")) if columns else None


def quarantine_of(given: Path | None) -> str | None:
    """What was given, or what `cxr check` wrote into this folder, if it did."""
    written = CHECK_FOLDER / QUARANTINE
    if given is None and not written.is_file():
        return None
    return str(written if given is None else given)
