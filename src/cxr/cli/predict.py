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
from ._output import emit, emit_next, prediction_line

if TYPE_CHECKING:
    from ..apply.batch import ImageList, TableResult
    from ..apply.batch.folder import ResumableFolder
    from ..apply.predictor import Predictor
    from ..scale import RayResult


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

    Example: cxr predict model.cxr new_images --out rows.csv --explain heat

    With --out, whatever stops the command, the same command goes on where it stopped.
    """
    require_one_of("engine", engine, EngineKind)
    for folder in (explain, dicom_out):
        _check_outside(folder, images)
    options = _Options(
        out, explain, dicom_out, prevalence, runtime, restart, json, workers, gpus_per_worker
    )
    if (_by_ray if engine == "ray" else _here)(model, images, options):
        raise typer.Exit(1)
    emit_next(json, _next(model, images, explain))


def _next(model: Path, images: list[str], explain: Path | None) -> tuple[object, ...]:
    """Heat maps, where there are none, of what was named in a word or two; else the page."""
    if explain is None and len(images) == 1 and "://" not in images[0]:
        return ("predict", model, *images, "--explain", "heat_maps")
    return ("serve", model)


@dataclass(frozen=True)
class _Options:
    """Of the command, as above."""

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


def _here(model: Path, images: list[str], options: _Options) -> int:
    """Returns how many images lack something that was asked for."""
    from ..apply.batch import check_format, list_images, predict_files, predict_rows, predict_table
    from ..apply.decision.rules import prevalence_shift
    from ..apply.predictor import load_predictor

    if options.workers is not None or options.gpus_per_worker:
        raise UsageError("--workers and --gpus-per-worker go with --engine ray")
    far = next((place for place in [*images, options.out or ""] if "://" in place), None)
    if far is not None:
        raise UsageError(f"{far}: object storage goes with --engine ray")
    if options.out is not None:
        check_format(Path(options.out))
    files = list_images(images)
    predictor = load_predictor(model, options.runtime)
    if options.prevalence is not None:  # refused now, not in the midst of work
        prevalence_shift(predictor.config, options.prevalence)
    with _extra_folders(predictor, files, options) as extras:
        if options.out is None:
            predict = predict_files if options.json else predict_rows
            bad = _emit_rows(predict(predictor, files, options.prevalence), options.json)
            _fill(extras)
            return bad + _failed(extras)
        done = predict_table(
            predictor,
            files,
            Path(options.out),
            prevalence=options.prevalence,
            restart=options.restart,
            heat_maps=_heat_maps(files, options),
            then=partial(_fill, extras),
        )
        _emit_table(done, options.json)
        return done.unreadable + _failed(extras)


def _by_ray(model: Path, images: list[str], options: _Options) -> int:
    """The same through Ray; heat maps and DICOM results are then made here."""
    from ..apply.predictor import load_predictor
    from ..scale import RayOptions, list_anywhere, predict_ray, rows_by_ray

    wanted = _refuse_far_extras(images, options)
    files = list_anywhere(images)
    how = RayOptions(
        options.workers,
        options.gpus_per_worker,
        runtime=options.runtime,
        prevalence=options.prevalence,
    )
    nothing: AbstractContextManager[Extras] = nullcontext([])
    with _extra_folders(load_predictor(model), files, options) if wanted else nothing as extras:
        if options.out is None:
            bad = _emit_rows(rows_by_ray(model, files, how), options.json)
            _fill(extras)
            return bad + _failed(extras)
        done = predict_ray(
            model,
            files,
            options.out,
            how,
            restart=options.restart,
            heat_maps=_heat_maps(files, options),
            then=partial(_fill, extras),
        )
        _emit_table(done, options.json, workers=done.workers, nodes=done.nodes)
        return done.unreadable + _failed(extras)


def _refuse_far_extras(images: list[str], options: _Options) -> bool:
    """Whether there are folders to be filled; they need images of this machine."""
    from ..scale import is_folder

    wanted = options.explain is not None or options.dicom_out is not None
    if wanted and any("://" in place for place in images):
        raise UsageError("--explain and --dicom-out need images on this machine, not URIs")
    if options.explain is not None and options.out is not None and is_folder(options.out):
        raise UsageError("--explain goes with a table: let --out end in .csv, .parquet or .jsonl")
    return wanted


def _heat_maps(files: ImageList, options: _Options) -> Callable[[], Iterator[str]] | None:
    """The names of the heat maps, for the table."""
    from ..apply.batch.image_results import heat_map_names

    return None if options.explain is None else lambda: heat_map_names(files)


# Folders to be filled besides the table, and what fills each.
Extras = list[tuple["ResumableFolder", Callable[["ResumableFolder"], None]]]


@contextmanager
def _extra_folders(predictor: Predictor, files: ImageList, options: _Options) -> Iterator[Extras]:
    """Heat maps and DICOM results; refused here where they cannot be made."""
    extras: Extras = []
    if options.explain is not None:
        from ..apply.batch.image_results import draw_heat_maps, heat_map_folder

        folder = heat_map_folder(predictor, files, options.explain, restart=options.restart)
        extras.append((folder, partial(draw_heat_maps, predictor, files)))
    if options.dicom_out is not None:
        from ..apply.batch.image_results import dicom_folder, write_dicom

        folder = dicom_folder(predictor, files, options.dicom_out, restart=options.restart)
        extras.append((folder, partial(write_dicom, predictor, files)))
    with ExitStack() as stack:
        for folder, _ in extras:
            stack.enter_context(folder)
        yield extras


def _fill(extras: Extras) -> None:
    for folder, fill in extras:
        fill(folder)


def _failed(extras: Extras) -> int:
    return sum(folder.failed for folder, _ in extras)


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


def _emit_table(done: TableResult | RayResult, as_json: bool, **more: Any) -> None:
    result = {"out": done.out, "images": done.images, "unreadable": done.unreadable}
    line = f"{done.images:,} images, {done.unreadable:,} unreadable: {done.out}"
    if more:
        line += f" (workers: {more['workers']}, machines: {len(more['nodes'])})"
    emit({**result, "resumed": done.resumed, **more}, as_json, line)
