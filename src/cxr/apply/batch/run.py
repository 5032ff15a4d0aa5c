"""A table of predictions: as many images as there are, in constant memory, whatever happens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from itertools import islice
from pathlib import Path

from ..._io import Progress, say
from ..._io.journal import JobDescription
from ..predictor import Predictor
from .image_list import ImageList
from .rows import Row, columns_of, predict_chunks
from .table import ResumableTable

HEAT_MAP = "heat_map"


@dataclass(frozen=True)
class TableResult:
    """`resumed` of the `images` were there from an earlier call."""

    out: Path
    images: int
    unreadable: int
    resumed: int


def predict_table(
    predictor: Predictor,
    files: ImageList,
    out: Path,
    *,
    prevalence: float | None = None,
    restart: bool = False,
    heat_maps: Callable[[], Iterator[str]] | None = None,
    then: Callable[[], None] = lambda: None,
) -> TableResult:
    """The rows of `predict_rows` as `out`: .csv, .parquet or .jsonl.

    What is finished is in `<out>.part` until the table is whole; after an error, or when the
    process was killed, the same call goes on there, and gives the same table to the last byte.
    `heat_maps` gives a name for each file, which goes into a column `heat_map`. `then` is called
    when the table is whole; if it fails, the next call calls it without predicting again.
    `restart` begins anew.

    Raises UsageError when the work begun was another (another model, list of files, runtime,
    prevalence or version of cxr), or is under way in another process; StorageError when the disk is
    full or cannot be written.
    """
    columns, job = columns_of(predictor.config, prevalence), describe_job(predictor, files)
    job["prevalence"] = prevalence
    if heat_maps is not None:
        columns, job["heat maps"] = [*columns, HEAT_MAP], True
    with ResumableTable(out, job, columns, restart=restart) as table:
        resumed = table.rows
        if table.finished:
            say(f"{out} is whole already")
        elif resumed:
            say(f"going on with {table.part}: {resumed:,} of {len(files):,} images are done")
        elif out.exists():
            say(f"{out} is there already; it stays until the new table is whole, then is replaced")
        if not table.finished:
            _fill(table, predictor, files, prevalence, heat_maps)
            table.finish()
        then()
        return TableResult(out, table.rows, table.journal.unreadable, resumed)


def describe_job(predictor: Predictor, files: ImageList) -> JobDescription:
    """What results depend on."""
    return {
        "model": predictor.digest,
        "runtime": predictor.runtime,
        "version of cxr": metadata.version("cxr"),
        "number of files": len(files),
        "list of files": files.fingerprint,
    }


def _fill(
    table: ResumableTable,
    predictor: Predictor,
    files: ImageList,
    prevalence: float | None,
    heat_maps: Callable[[], Iterator[str]] | None,
) -> None:
    left = files.since(table.rows)
    names = heat_maps and islice(heat_maps(), table.rows, None)
    with Progress("predicting", len(files) - table.rows) as progress:
        for rows in predict_chunks(predictor, left, prevalence):
            if names is not None:
                rows = [with_heat_map(row, next(names)) for row in rows]
            table.append(rows)
            progress.advance(len(rows))


def with_heat_map(row: Row, name: str) -> Row:
    """And the name of its heat map, if it can have one."""
    return {**row, HEAT_MAP: None if row["error"] is not None else name}
