"""`cxr check DATA`: what is wrong with the data before it fools you."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ._common import emit

if TYPE_CHECKING:
    from ..check import Finding

SHOWN = 10  # of one code on the screen; the page and check.json have more


def check(
    data: Annotated[Path, typer.Argument(help="Folder of images, or a CSV or Parquet table.")],
    out: Annotated[
        Path, typer.Option("--out", help="Folder for check.json, check.html, quarantine.csv.")
    ] = Path("check"),
    label_column: Annotated[str | None, typer.Option(help="Column of the label.")] = None,
    label_columns: Annotated[str | None, typer.Option(help="Columns, joined by commas.")] = None,
    path_column: Annotated[str | None, typer.Option(help="Column of the image path.")] = None,
    patient_column: Annotated[str | None, typer.Option(help="Column of the patient.")] = None,
    patient_pattern: Annotated[str, typer.Option(help="As in cxr train.")] = "auto",
    image_root: Annotated[Path | None, typer.Option(help="Where a table's paths start.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """List what is wrong with the data. Exit code 1 when there is an error among the findings."""
    from .._io import progress_disabled
    from ..check import check_data, summary, write_findings

    with progress_disabled() if json else nullcontext():
        findings = check_data(
            data,
            label_column=label_column,
            label_columns=label_columns.split(",") if label_columns else None,
            path_column=path_column,
            patient_column=patient_column,
            patient_pattern=patient_pattern,
            image_root=image_root,
        )
    page = write_findings(findings, out)
    lines = [*_lines(findings), summary(findings), f"page: {page}"]
    found = [finding.to_dict() for finding in findings]
    emit({"findings": found, "page": page}, json, "\n".join(lines))
    if any(finding.severity == "error" for finding in findings):
        raise typer.Exit(1)


def _lines(findings: Sequence[Finding]) -> list[str]:
    """What was found, with what to do after the last finding of a code."""
    lines = []
    for code in dict.fromkeys(finding.code for finding in findings):
        some = [finding for finding in findings if finding.code == code]
        lines += [f"{finding.severity}: {finding.message}" for finding in some[:SHOWN]]
        if len(some) > SHOWN:
            lines.append(f"{some[0].severity}: and {len(some) - SHOWN:,} more ({code})")
        lines += [f"  -> {action}" for action in dict.fromkeys(f.action for f in some) if action]
    return lines
