"""`cxr deidentify IN OUT`: copies of DICOM images without what tells whose they are."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from ._options import Json
from ._output import emit


def deidentify(
    source: Annotated[Path, typer.Argument(metavar="IN", help="Folder of DICOM files, or one.")],
    out: Annotated[Path, typer.Argument(help="Folder for the copies, outside IN.")],
    pixels: Annotated[
        str,
        typer.Option(
            help="Images with burnt-in text: refuse leaves them out; blank paints over the text; "
            "keep does not look."
        ),
    ] = "refuse",
    key_file: Annotated[
        Path | None,
        typer.Option(help="Secret of the pseudonyms; made when it is not there. Default: yours."),
    ] = None,
    json: Json = False,
) -> None:
    """Write DICOM copies by the Basic Profile of PS3.15. Exit code 1 when a file was left out.

    Example: cxr deidentify from_the_archive copies --pixels blank
    """
    from .._io import progress_disabled
    from ..check.deidentify import deidentify as deidentify_files
    from ..find.secret import pseudonym_key

    with progress_disabled() if json else nullcontext():
        done = deidentify_files(source, out, key=pseudonym_key(key_file), pixels=pixels)
    result = {
        "out": out,
        "written": len(done.written),
        "patients": done.patients,
        "blanked": done.blanked,
        "left_out": [{"path": one.path, "reason": one.reason} for one in done.left_out],
    }
    lines = [f"left out {one.path}: {one.reason}" for one in done.left_out]
    blanked = f", {done.blanked:,} with text painted over" if done.blanked else ""
    lines.append(
        f"{len(done.written):,} copies of {done.patients:,} patients in {out}{blanked}; "
        f"{len(done.left_out):,} files left out"
    )
    emit(result, json, "\n".join(lines), [("check", out)] if done.written else [])
    if done.left_out:
        raise typer.Exit(1)
