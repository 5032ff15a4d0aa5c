"""`cxr dicomweb MODEL URL`: what does the model say of the images in this archive?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import UsageError
from ._output import emit, emit_next

if TYPE_CHECKING:
    from ..apply.dicom import Archive


def dicomweb(
    model: Annotated[Path, typer.Argument(help="A model.cxr.")],
    url: Annotated[str, typer.Argument(help="A DICOMweb service: https://HOST/PATH.")],
    study: Annotated[
        list[str] | None,
        typer.Option(help="StudyInstanceUID; may be given several times."),
    ] = None,
    date: Annotated[
        str | None, typer.Option(help="Studies of a day, or from-to: 20240101-20240131.")
    ] = None,
    store: Annotated[
        bool, typer.Option("--store", help="Store reports and heat maps into the same studies.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Write them into this folder.")] = None,
    token_file: Annotated[
        Path | None, typer.Option(help="File with the bearer token of the archive.")
    ] = None,
    limit: Annotated[int, typer.Option(help="Most studies of --date.", min=1)] = 100,
    runtime: Annotated[
        str, typer.Option(help="torch, onnx, or auto: onnx if the model file holds it.")
    ] = "auto",
    json: Annotated[bool, typer.Option("--json", help="Print the rows as JSON.")] = False,
) -> None:
    """Read the CR and DX images of studies in an archive. Exit code 1 when one could not be.

    Example: cxr dicomweb model.cxr https://pacs.example/dicom --date 20240131
    """
    from ..apply.dicom import Archive, answer_studies

    _check(study, date)
    archive = Archive(url, token_file)

    from ..apply.predictor import load_predictor

    predictor = load_predictor(model, runtime)
    rows = []
    studies = _studies(archive, study, date, limit)
    for row in answer_studies(predictor, archive, studies, store=store, out=out):
        rows.append(row)
        if not json:
            emit(row, False, prediction_line(row))
    if json:
        emit({"predictions": rows}, True, "")
    elif not rows:
        emit({}, False, "no images to read")
    if any(row["error"] is not None for row in rows):
        raise typer.Exit(1)
    if rows:
        emit_next(json, ("listen", model, "--out", "FOLDER"))


def _check(studies: list[str] | None, date: str | None) -> None:
    if bool(studies) == (date is not None):
        raise UsageError("say which studies: --study UID, or --date 20240131")
    for uid in studies or ():
        if not re.fullmatch(r"[0-9.]{1,64}", uid):
            raise UsageError(f"--study {uid!r} is no UID; it has digits and dots only")
    if date is not None and not re.fullmatch(r"\d{8}|\d{8}-\d{8}", date):
        raise UsageError(f"--date {date!r}: write 20240131 or 20240101-20240131")


def _studies(
    archive: Archive, studies: list[str] | None, date: str | None, limit: int
) -> Iterator[str]:
    yield from studies or archive.studies(date or "", limit)


def prediction_line(row: dict[str, Any]) -> str:
    if row["error"] is not None:
        return f"{row['instance']}: {row['error']}"
    from ..apply.decision.words import Facts, in_words, shares_in_words

    facts = Facts(
        row["status"],
        "; ".join(row["not_judged"]),
        row["reason"],
        row["decision"],
        row["thresholds"],
        shares_in_words(row["calibrated"]),
    )
    return f"{row['instance']}: {in_words(facts)}" + (", stored" if row.get("stored") else "")
