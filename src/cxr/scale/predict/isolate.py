"""Files that kill whoever reads them: found by halves, so that all others get their rows."""

from __future__ import annotations

import platform
from typing import Any

from ...apply.batch.rows import Row, rows_of
from ...apply.predictor import Predictor
from ...errors import CxrError, ImageError
from .flow import Made, line_of
from .part import Facts, Task, encoded, unpacked
from .stages import TRIES, Model, Plan, load_images

LIMIT = 8
"""Such files in one part. Where there are more, it is no file that kills, but want of memory."""

WHY = f"the processes that read it died, {TRIES + 1} times; look at it with other software"


def isolated(ray: Any, predictor: Predictor, plan: Plan, task: Task) -> Made:
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
    facts = Facts(plan.job, number, len(rows), unreadable, node)
    return Made(number, len(rows), unreadable, node, encoded(rows, facts))


def _look(plan: Plan, names: list[str]) -> list[Row]:
    return Model(plan).rows(load_images(plan, names))


def _want_of_memory(name: str) -> CxrError:
    return CxrError(
        f"Ray workers die of file after file ({name} was the last), for want of memory perhaps; "
        "run it again with fewer workers, or with --engine local"
    )
