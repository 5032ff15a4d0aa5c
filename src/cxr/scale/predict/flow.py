"""Parts through Ray Data: it starts the workers, holds back what runs ahead, and tries again.

Files that kill whoever reads them are found by halves, so that all others get their rows.
"""

from __future__ import annotations

import logging
import platform
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ...apply.batch.image_list import batches
from ...apply.batch.rows import Row, rows_of
from ...apply.predictor import Predictor
from ...errors import CxrError, ImageError
from .parts import PartFacts, PartTask, encoded, unpacked
from .stages import (
    DEADLY,
    TRIES,
    PredictFiles,
    PredictionPlan,
    PredictPixels,
    WorkerModel,
    decode,
    load_images,
)

WINDOW = 1 << 13
"""Parts that Ray has before it, 8 million files: they take some 100 MB. For those after them it
starts its workers anew."""

LIMIT = 8
"""Such files in one part. Where there are more, it is no file that kills, but want of memory."""

WHY = f"the processes that read it died, {TRIES + 1} times; look at it with other software"


@dataclass(frozen=True)
class WorkerPool:
    """`n` processes, each with one processor, or with `gpus` of a GPU; then others decode."""

    n: int
    gpus: float = 0.0


@dataclass(frozen=True)
class FinishedPart:
    """A part as it came from a worker on `node`: the bytes of its file."""

    number: int
    rows: int
    unreadable: int
    node: str
    data: bytes


def finished_parts(
    ray: Any, plan: PredictionPlan, workers: WorkerPool, tasks: Iterable[PartTask]
) -> Iterator[FinishedPart | PartTask]:
    """Every part, as soon as it is there; or its task, when its processes died TRIES times.

    Raises CxrError when a worker says why it cannot go on, or Ray does.
    """
    for window in batches(tasks, WINDOW):
        left = dict(window)
        for row in _rows(ray, plan, workers, window):
            failure, number = row.pop("failure"), row["number"]
            task = number, left.pop(number)
            if failure == DEADLY:
                yield task
            elif failure:
                raise CxrError(f"{failure} (among files from {unpacked(task[1])[0]} on)")
            else:
                yield FinishedPart(**row)
        if left:
            raise CxrError(f"Ray gave no answer for {len(left):,} parts; the same command goes on")


def _rows(
    ray: Any, plan: PredictionPlan, workers: WorkerPool, tasks: list[PartTask]
) -> Iterator[dict[str, Any]]:
    import ray.data as data

    items = [{"number": number, "names": names} for number, names in tasks]
    with data.DataContext.current(_context(data)):
        images = data.from_items(items, override_num_blocks=len(items))
        results = _through(data, images, plan, workers)
        try:
            for batch in results.iter_batches(
                batch_size=None, batch_format="pyarrow", prefetch_batches=0
            ):
                yield from batch.to_pylist()
        except ray.exceptions.RayError as error:
            raise CxrError(f"Ray cannot go on: {line_of(error)}") from error


def _through(data: Any, images: Any, plan: PredictionPlan, workers: WorkerPool) -> Any:
    """One worker decodes and looks where both need processors: images need not travel then."""
    whole = {"batch_size": 1, "batch_format": "pyarrow", "zero_copy_batch": True}
    pool = {
        **whole,
        "fn_constructor_args": (plan,),
        "compute": data.ActorPoolStrategy(size=workers.n),
    }
    if not workers.gpus:
        return images.map_batches(PredictFiles, num_cpus=1, **pool)
    images = images.map_batches(decode, fn_kwargs={"plan": plan}, num_cpus=1, **whole)
    return images.map_batches(PredictPixels, num_cpus=0, num_gpus=workers.gpus, **pool)


def _context(data: Any) -> Any:
    """No bars and no lines beside ours."""
    logging.getLogger("ray.data").setLevel(logging.CRITICAL + 1)
    context = data.DataContext.get_current().copy()
    context.enable_progress_bars = context.print_on_execution_start = False
    return context


def line_of(error: Exception) -> str:
    """Of the many lines that Ray says, the first that names an error: what led to all others."""
    said = str(error).strip()
    named = re.search(r"^[\w.]*(?:Error|Exception)\b.*", said, re.MULTILINE)
    return (named[0] if named else said.partition("\n")[0])[:300] or type(error).__name__


def isolate_deadly(
    ray: Any, predictor: Predictor, plan: PredictionPlan, task: PartTask
) -> FinishedPart:
    """The part; deadly files have a reason in place of figures.

    Raises CxrError when workers die of more than LIMIT files, or say why they cannot go on.
    """
    number, names = task[0], unpacked(task[1])
    look = ray.remote(num_cpus=1, max_retries=0)(_look)
    rows: list[Row] = []
    deadly, waiting = 0, [names]
    while waiting:
        some = waiting.pop()
        try:
            rows += ray.get(look.remote(plan, some))
        except ray.exceptions.RayTaskError as error:
            raise CxrError(line_of(error)) from None
        except ray.exceptions.RayError as error:
            if len(some) > 1:
                waiting += [some[len(some) // 2 :], some[: len(some) // 2]]
                continue
            deadly += 1
            if deadly > LIMIT:
                raise _want_of_memory(some[0]) from error
            rows += rows_of(predictor, [(some[0], ImageError(some[0], WHY))], plan.prevalence)
    unreadable, node = sum(row["error"] is not None for row in rows), platform.node()
    facts = PartFacts(plan.job, number, len(rows), unreadable, node)
    return FinishedPart(number, len(rows), unreadable, node, encoded(rows, facts))


def _look(plan: PredictionPlan, names: list[str]) -> list[Row]:
    return WorkerModel(plan).rows(load_images(plan, names))


def _want_of_memory(name: str) -> CxrError:
    return CxrError(
        f"Ray workers die of file after file ({name} was the last), for want of memory perhaps; "
        "run it again with fewer workers, or with --engine local"
    )
