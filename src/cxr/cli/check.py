"""`cxr check DATA`: what is wrong with the data before it fools you."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ._common import emit


def check(
    data: Annotated[Path, typer.Argument(help="Folder of images, or a CSV or Parquet table.")],
    out: Annotated[
        Path | None, typer.Option("--out", help="Write check.json and check.html here.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """List what is wrong with the data. Exit code 1 when there is an error among the findings."""
    from ..check import check_data, write_findings

    findings = check_data(data)
    if out is not None:
        write_findings(findings, out)
    lines = [f"{f.severity}: {f.message} {f.action}" for f in findings] or ["nothing found"]
    emit({"findings": [f.to_dict() for f in findings]}, json, "\n".join(lines))
    if any(f.severity == "error" for f in findings):
        raise typer.Exit(1)
