"""`cxr predict MODEL IMAGES...`: what does the model say of these images?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..config import EngineKind, require_one_of
from ..errors import UsageError
from ._options import one_of
from ._output import emit, prediction_line

if TYPE_CHECKING:
    from ..apply.batch import ImageList, TableResult
    from ..apply.batch.folder import ResumableFolder
    from ..apply.predictor import Predictor
    from ..scale import RayDone


def predict(
    model: Annotated[Path, typer.Argument(help="A model.cxr.")],
    images: Annotated[
        list[str], typer.Argument(help="Files and folders; with --engine ray also URIs (s3://...).")
    ],
    out: Annotated[
        str | None,
        typer.Option(
            "--out", help=".csv, .parquet or .jsonl file; with --engine ray also a folder or URI."
        ),
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
    engine: Annotated[
        str, typer.Option(help=one_of(EngineKind, "This machine, or a cluster"))
    ] = "local",
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes of --engine ray; all that find room.")
    ] = None,
    gpus_per_worker: Annotated[
        float, typer.Option(min=0, help="With --engine ray: 1, or 0.5 where two share a GPU.")
    ] = 0.0,
    json: Annotated[bool, typer.Option("--json", help="Print the rows as JSON.")] = False,
) -> None:
    """Predict for files and folders. Exit code 1 when an image could not be read.

    With --out, whatever stops the command, the same command goes on where it stopped.
    """
    asked = _Asked(
        out, explain, dicom_out, prevalence, runtime, restart, json, workers, gpus_per_worker
    )
    require_one_of("engine", engine, EngineKind)
    for folder in (explain, dicom_out):
        _check_outside(folder, images)
    bad = (_by_ray if engine == "ray" else _here)(model, images, asked)
    if bad:
        raise typer.Exit(1)


@dataclass(frozen=True)
class _Asked:
    """The options, as above."""

    out: str | None
    explain: Path | None
    dicom_out: Path | None
    prevalence: float | None
    runtime: str
    restart: bool
    json: bool
    workers: int | None = None
    gpus_per_worker: float = 0.0


def _check_outside(folder: Path | None, images: list[str]) -> None:
    for given in map(Path, images):
        inside = folder is not None and folder.resolve().is_relative_to(given.resolve())
        if inside and given.is_dir():
            raise UsageError(
                f"{folder} lies in {given}: the next call would take what is in it for images; "
                "choose a folder outside"
            )


def _here(model: Path, images: list[str], asked: _Asked) -> int:
    """Returns how many images have not all that was asked for."""
    from ..apply.batch import check_format, list_images
    from ..apply.decision.rules import prevalence_shift
    from ..apply.predictor import load_predictor

    if asked.workers is not None or asked.gpus_per_worker:
        raise UsageError("--workers and --gpus-per-worker go with --engine ray")
    far = next((place for place in [*images, asked.out or ""] if "://" in place), None)
    if far is not None:
        raise UsageError(f"{far}: object storage goes with --engine ray")
    if asked.out is not None:
        check_format(Path(asked.out))
    files = list_images(images)
    predictor = load_predictor(model, asked.runtime)
    if asked.prevalence is not None:
        prevalence_shift(
            predictor.config, asked.prevalence
        )  # refused now, not in the midst of work
    with _folders(predictor, files, asked) as steps:
        if asked.out is not None:
            bad = _write_table(predictor, files, Path(asked.out), asked, partial(_fill, steps))
        else:
            bad = _print_rows(predictor, files, asked)
            _fill(steps)
        return bad + _failed(steps)


def _by_ray(model: Path, images: list[str], asked: _Asked) -> int:
    """The same through Ray; heat maps and DICOM results are then made here."""
    from ..apply.batch.image_results import heat_map_names
    from ..apply.predictor import load_predictor
    from ..scale import Options, list_anywhere, predict_ray, rows_by_ray

    extras = _refuse_far_extras(images, asked)
    files = list_anywhere(images)
    options = Options(
        asked.workers,
        asked.gpus_per_worker,
        runtime=asked.runtime,
        prevalence=asked.prevalence,
    )
    nothing: AbstractContextManager[Steps] = nullcontext([])
    with _folders(load_predictor(model), files, asked) if extras else nothing as steps:
        if asked.out is None:
            rows = rows_by_ray(model, files, options)
            bad = _emit_rows(rows, asked.json)
            _fill(steps)
            return bad + _failed(steps)
        done = predict_ray(
            model,
            files,
            asked.out,
            options,
            restart=asked.restart,
            heat_maps=None if asked.explain is None else lambda: heat_map_names(files),
            then=partial(_fill, steps),
        )
        _emit_table(done, asked.json, workers=done.workers, nodes=done.nodes)
        return done.unreadable + _failed(steps)


def _refuse_far_extras(images: list[str], asked: _Asked) -> bool:
    """Whether there are folders to be filled; they need images of this machine."""
    from ..scale import is_folder

    extras = asked.explain is not None or asked.dicom_out is not None
    if extras and any("://" in place for place in images):
        raise UsageError("--explain and --dicom-out need images on this machine, not URIs")
    if asked.explain is not None and asked.out is not None and is_folder(asked.out):
        raise UsageError("--explain goes with a table: let --out end in .csv, .parquet or .jsonl")
    return extras


Steps = list[tuple["ResumableFolder", Callable[["ResumableFolder"], None]]]


@contextmanager
def _folders(predictor: Predictor, files: ImageList, asked: _Asked) -> Iterator[Steps]:
    """What is to be filled besides the table, and how; refused here where that cannot be."""
    steps: Steps = []
    if asked.explain is not None:
        from ..apply.batch.image_results import draw_heat_maps, heat_map_folder

        work = heat_map_folder(predictor, files, asked.explain, restart=asked.restart)
        steps.append((work, partial(draw_heat_maps, predictor, files)))
    if asked.dicom_out is not None:
        from ..apply.batch.image_results import dicom_folder, write_dicom

        work = dicom_folder(predictor, files, asked.dicom_out, restart=asked.restart)
        steps.append((work, partial(write_dicom, predictor, files)))
    with ExitStack() as stack:
        for work, _ in steps:
            stack.enter_context(work)
        yield steps


def _fill(steps: Steps) -> None:
    for work, fill in steps:
        fill(work)


def _failed(steps: Steps) -> int:
    return sum(work.failed for work, _ in steps)


def _print_rows(predictor: Predictor, files: ImageList, asked: _Asked) -> int:
    from ..apply.batch import predict_files, predict_rows

    predict = predict_files if asked.json else predict_rows
    return _emit_rows(predict(predictor, files, asked.prevalence), asked.json)


def _emit_rows(rows: Iterable[dict[str, Any]], as_json: bool) -> int:
    """Lines as they come; JSON is one document, so its rows are kept until the end."""
    if as_json:
        rows = list(rows)
        emit({"predictions": rows}, True, "")
        return sum(row["error"] is not None for row in rows)
    bad = 0
    for row in rows:
        emit(row, False, prediction_line(row))
        bad += row["error"] is not None
    return bad


def _write_table(
    predictor: Predictor, files: ImageList, out: Path, asked: _Asked, then: Callable[[], None]
) -> int:
    from ..apply.batch import predict_table
    from ..apply.batch.image_results import heat_map_names

    done = predict_table(
        predictor,
        files,
        out,
        prevalence=asked.prevalence,
        restart=asked.restart,
        heat_maps=None if asked.explain is None else lambda: heat_map_names(files),
        then=then,
    )
    _emit_table(done, asked.json)
    return done.unreadable


def _emit_table(done: TableResult | RayDone, as_json: bool, **more: Any) -> None:
    result = {"out": done.out, "images": done.images, "unreadable": done.unreadable}
    line = f"{done.images:,} images, {done.unreadable:,} unreadable: {done.out}"
    if more:
        line += f" (workers: {more['workers']}, machines: {len(more['nodes'])})"
    emit({**result, "resumed": done.resumed, **more}, as_json, line)
