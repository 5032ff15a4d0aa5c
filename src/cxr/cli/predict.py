"""`cxr predict MODEL IMAGES...`: what does the model say of these images?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import UnknownName, UsageError
from ._common import emit

if TYPE_CHECKING:
    from ..apply.batch import ImageList
    from ..apply.batch.folder import GrowingFolder
    from ..apply.reader import Reader

ENGINES = ("local", "ray")


def predict(
    model: Annotated[Path, typer.Argument(help="A model.cxr.")],
    images: Annotated[list[Path], typer.Argument(help="Files and folders.")],
    out: Annotated[
        Path | None, typer.Option("--out", help=".csv, .parquet or .jsonl file.")
    ] = None,
    explain: Annotated[
        Path | None, typer.Option(help="Write a heat map for each image into this new folder.")
    ] = None,
    dicom_out: Annotated[
        Path | None,
        typer.Option(help="Write DICOM reports and heat maps of DICOM files into this new folder."),
    ] = None,
    prevalence: Annotated[
        float | None,
        typer.Option(help="Also give probabilities where this share has the finding."),
    ] = None,
    runtime: Annotated[
        str, typer.Option(help="torch, onnx, or auto: onnx if the model file holds it.")
    ] = "auto",
    restart: Annotated[
        bool, typer.Option("--restart", help="Begin anew what an earlier call left unfinished.")
    ] = False,
    engine: Annotated[str, typer.Option(help="local, or ray for a cluster.")] = "local",
    json: Annotated[bool, typer.Option("--json", help="Print the rows as JSON.")] = False,
) -> None:
    """Predict for files and folders. Exit code 1 when an image could not be read.

    With --out, whatever stops the command, the same command goes on where it stopped.
    """
    from ..apply.batch import check_format, list_images

    asked = _Asked(out, explain, dicom_out, prevalence, runtime, restart, json)
    if engine not in ENGINES:
        raise UnknownName("engine", engine, ENGINES)
    if engine == "ray" and (runtime != "auto" or prevalence is not None):
        raise UsageError("--runtime and --prevalence go with --engine local")
    if out is not None:
        check_format(out)
    files = list_images(images)
    for folder in (explain, dicom_out):
        _check_outside(folder, images)
    bad = _by_ray(model, files, asked) if engine == "ray" else _here(model, files, asked)
    if bad:
        raise typer.Exit(1)


@dataclass(frozen=True)
class _Asked:
    """The options, as above."""

    out: Path | None
    explain: Path | None
    dicom_out: Path | None
    prevalence: float | None
    runtime: str
    restart: bool
    json: bool


def _check_outside(folder: Path | None, images: list[Path]) -> None:
    for given in images:
        inside = folder is not None and folder.resolve().is_relative_to(given.resolve())
        if inside and given.is_dir():
            raise UsageError(
                f"{folder} lies in {given}: the next call would take what is in it for films; "
                "choose a folder outside"
            )


def _here(model: Path, files: ImageList, asked: _Asked) -> int:
    """Returns how many images have not all that was asked for."""
    from ..apply.calibrate import prevalence_shift
    from ..apply.reader import open_reader

    reader = open_reader(model, asked.runtime)
    if asked.prevalence is not None:
        prevalence_shift(reader.config, asked.prevalence)  # refused now, not in the midst of work
    with _folders(reader, files, asked) as steps:
        if asked.out is not None:
            bad = _write_table(reader, files, asked.out, asked, partial(_fill, steps))
        else:
            bad = _print_rows(reader, files, asked)
            _fill(steps)
        return bad + _failed(steps)


def _by_ray(model: Path, files: ImageList, asked: _Asked) -> int:
    """The same through Ray, which keeps all rows until the end."""
    from ..apply.batch import write_rows
    from ..apply.reader import open_reader
    from ..scale import predict_ray

    nothing: AbstractContextManager[Steps] = nullcontext([])
    extras = asked.explain is not None or asked.dicom_out is not None
    with _folders(open_reader(model), files, asked) if extras else nothing as steps:
        rows = predict_ray(model, files)
        bad = sum(row["error"] is not None for row in rows)
        if asked.out is not None:
            _emit_table(write_rows(rows, asked.out), len(rows), bad, 0, asked.json)
        else:
            emit({"predictions": rows}, asked.json, "\n".join(map(line_of, rows)))
        _fill(steps)
        return bad + _failed(steps)


Steps = list[tuple["GrowingFolder", Callable[["GrowingFolder"], None]]]


@contextmanager
def _folders(reader: Reader, files: ImageList, asked: _Asked) -> Iterator[Steps]:
    """What is to be filled besides the table, and how; refused here where that cannot be."""
    steps: Steps = []
    if asked.explain is not None:
        from ..apply.batch.pictures import draw_heat_maps, heat_folder

        work = heat_folder(reader, files, asked.explain, restart=asked.restart)
        steps.append((work, partial(draw_heat_maps, reader, files)))
    if asked.dicom_out is not None:
        from ..apply.batch.dicom import dicom_folder, write_dicom

        work = dicom_folder(reader, files, asked.dicom_out, restart=asked.restart)
        steps.append((work, partial(write_dicom, reader, files)))
    with ExitStack() as stack:
        for work, _ in steps:
            stack.enter_context(work)
        yield steps


def _fill(steps: Steps) -> None:
    for work, fill in steps:
        fill(work)


def _failed(steps: Steps) -> int:
    return sum(work.failed for work, _ in steps)


def _print_rows(reader: Reader, files: ImageList, asked: _Asked) -> int:
    """Lines as they come; JSON is one document, so its rows are kept until the end."""
    from ..apply.batch import predict_files, predict_rows

    if asked.json:
        rows = predict_files(reader, files, asked.prevalence)
        emit({"predictions": rows}, True, "")
        return sum(row["error"] is not None for row in rows)
    bad = 0
    for row in predict_rows(reader, files, asked.prevalence):
        emit(row, False, line_of(row))
        bad += row["error"] is not None
    return bad


def _write_table(
    reader: Reader, files: ImageList, out: Path, asked: _Asked, then: Callable[[], None]
) -> int:
    from ..apply.batch import predict_table
    from ..apply.batch.pictures import picture_names

    done = predict_table(
        reader,
        files,
        out,
        prevalence=asked.prevalence,
        restart=asked.restart,
        pictures=None if asked.explain is None else lambda: picture_names(files),
        then=then,
    )
    _emit_table(out, done.images, done.unreadable, done.resumed, asked.json)
    return done.unreadable


def _emit_table(out: Path, images: int, unreadable: int, resumed: int, as_json: bool) -> None:
    result = {"out": out, "images": images, "unreadable": unreadable, "resumed": resumed}
    emit(result, as_json, f"{images:,} images, {unreadable:,} unreadable: {out}")


def line_of(row: dict[str, Any]) -> str:
    """`path: DECISION (calibrated probabilities)` and in few words whether to trust it, where that
    was judged; or the path and why it could not be read."""
    if row["error"] is not None:
        return f"{row['path']}: {row['error']}"
    line = f"{row['path']}: {row['decision']} ({_shares(row, 'prob_')}"
    there = next((k for k in row if k.startswith("at_prevalence_")), None)
    if there is not None:
        share = there.split("_")[2]
        line += f"; at prevalence {share}: {_shares(row, f'at_prevalence_{share}_')}"
    line += ")"
    if row["confident"] is None:
        return line
    first = row["reason"].split("; ")[0]  # the whole is in the table
    return f"{line}, confident" if row["confident"] else f"{line}, not confident: {first}"


def _shares(row: dict[str, Any], prefix: str) -> str:
    found = ((k, v) for k, v in row.items() if k.startswith(prefix))
    return ", ".join(f"{k.removeprefix(prefix)} {v:.4f}" for k, v in found)
