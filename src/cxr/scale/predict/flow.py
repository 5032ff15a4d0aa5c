"""Parts through Ray Data: it starts the workers, holds back what runs ahead, and tries again."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ...apply.batch.image_list import batches
from ...errors import CxrError
from .part import Task, unpacked
from .stages import DEADLY, Look, Plan, Predict, decode

WINDOW = 1 << 13
"""Parts that Ray has before it, 8 million files: they take some 100 MB. For those after them it
starts its workers anew."""


@dataclass(frozen=True)
class Workers:
    """`n` processes, each with one processor, or with `gpus` of a GPU; then others decode."""

    n: int
    gpus: float = 0.0


@dataclass(frozen=True)
class Made:
    """A part as it came from a worker on `node`: the bytes of its file."""

    number: int
    rows: int
    unreadable: int
    node: str
    data: bytes


def made(ray: Any, plan: Plan, workers: Workers, tasks: Iterable[Task]) -> Iterator[Made | Task]:
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
                yield Made(**row)
        if left:
            raise CxrError(f"Ray gave no answer for {len(left):,} parts; the same command goes on")


def _rows(ray: Any, plan: Plan, workers: Workers, tasks: list[Task]) -> Iterator[dict[str, Any]]:
    import ray.data as data

    items = [{"number": number, "names": names} for number, names in tasks]
    with data.DataContext.current(_context(data)):
        films = data.from_items(items, override_num_blocks=len(items))
        found = _through(data, films, plan, workers)
        try:
            for batch in found.iter_batches(
                batch_size=None, batch_format="pyarrow", prefetch_batches=0
            ):
                yield from batch.to_pylist()
        except ray.exceptions.RayError as error:
            raise CxrError(f"Ray cannot go on: {line_of(error)}") from error


def _through(data: Any, films: Any, plan: Plan, workers: Workers) -> Any:
    """One worker decodes and looks where both need processors: images need not travel then."""
    whole = {"batch_size": 1, "batch_format": "pyarrow", "zero_copy_batch": True}
    pool = {
        **whole,
        "fn_constructor_args": (plan,),
        "compute": data.ActorPoolStrategy(size=workers.n),
    }
    if not workers.gpus:
        return films.map_batches(Predict, num_cpus=1, **pool)
    films = films.map_batches(decode, fn_kwargs={"plan": plan}, num_cpus=1, **whole)
    return films.map_batches(Look, num_cpus=0, num_gpus=workers.gpus, **pool)


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
