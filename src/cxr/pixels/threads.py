"""Work on many files at once, in order, without running ahead of whoever takes the results."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

_In = TypeVar("_In")
_Out = TypeVar("_Out")


CPUS = "CXR_CPUS"
"""Environment variable: what a scheduler that does not bind processes to CPUs has granted."""


def available_cpus() -> int:
    """CPUs that this process may use: a container or batch system may allow fewer than exist."""
    if hasattr(os, "sched_getaffinity"):
        there = len(os.sched_getaffinity(0))
    else:
        there = os.cpu_count() or 1
    granted = os.environ.get(CPUS, "")
    return min(there, int(granted)) if granted.isdecimal() and int(granted) else there


def map_in_order(
    function: Callable[[_In], _Out], items: Iterable[_In], workers: int
) -> Iterator[_Out]:
    """`map` over a thread pool that works at most two items a thread ahead of its reader."""
    pool = ThreadPoolExecutor(workers, thread_name_prefix="cxr-pixels")
    ahead: deque[Future[_Out]] = deque()
    try:
        for item in items:
            ahead.append(pool.submit(function, item))
            if len(ahead) > 2 * workers:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
