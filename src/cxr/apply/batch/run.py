"""A table of predictions: as many images as there are, in constant memory, whatever happens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from itertools import islice
from pathlib import Path

from ..._io import Progress, say
from ..predictor import Predictor
from .journal import Job
from .listing import ImageList
from .rows import Row, columns_of, predict_chunks
from .table import GrowingTable

HEAT_MAP = "heat_map"


@dataclass(frozen=True)
class Done:
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
    pictures: Callable[[], Iterator[str]] | None = None,
    then: Callable[[], None] = lambda: None,
) -> Done:
    """The rows of `predict_rows` as `out`: .csv, .parquet or .jsonl.

    What is finished is in `<out>.part` until the table is whole; after an error, or when the
    process was killed, the same call goes on there, and gives the same table to the last byte.
    `images` gives a name for each file, which goes into a column `heat_map`. `then` is called
    when the table is whole; if it fails, the next call calls it without predicting again.
    `restart` begins anew.

    Raises UsageError when the work begun was another (another model, list of files, runtime,
    prevalence or version of cxr), or is under way in another process; StorageError when the disk is
    full or cannot be written.
    """
    columns, job = columns_of(predictor.config, prevalence), job_of(predictor, files)
    job["prevalence"] = prevalence
    if pictures is not None:
        columns, job["heat maps"] = [*columns, HEAT_MAP], True
    with GrowingTable(out, job, columns, restart=restart) as table:
        resumed = table.rows
        if table.finished:
            say(f"{out} is whole already")
        elif resumed:
            say(f"going on with {table.part}: {resumed:,} of {len(files):,} images are done")
        elif out.exists():
            say(f"{out} is there already; it stays until the new table is whole, then is replaced")
        if not table.finished:
            _fill(table, predictor, files, prevalence, pictures)
            table.finish()
        then()
        return Done(out, table.rows, table.journal.unreadable, resumed)


def job_of(model: Predictor, files: ImageList) -> Job:
    """What results depend on."""
    return {
        "model": model.digest,
        "runtime": model.runtime,
        "version of cxr": metadata.version("cxr"),
        "number of files": len(files),
        "list of files": files.fingerprint,
    }


def _fill(
    table: GrowingTable,
    predictor: Predictor,
    files: ImageList,
    prevalence: float | None,
    pictures: Callable[[], Iterator[str]] | None,
) -> None:
    left = files.since(table.rows)
    names = pictures and islice(pictures(), table.rows, None)
    with Progress("predicting", len(files) - table.rows) as progress:
        for rows in predict_chunks(predictor, left, prevalence):
            if names is not None:
                rows = [with_image(row, next(names)) for row in rows]
            table.append(rows)
            progress.advance(len(rows))


def with_image(row: Row, name: str) -> Row:
    """And the name of its heat map, if it can have one."""
    return {**row, HEAT_MAP: None if row["error"] is not None else name}
