"""Files written while training goes on: one at a time, in a thread of their own."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor


class BackgroundWriter:
    """`start` returns at once; `wait` returns what went wrong. `cost` in seconds of processor."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")
        self._future: Future[None] | None = None
        self.cost = 0.0

    @property
    def busy(self) -> bool:
        return self._future is not None and not self._future.done()

    def start(self, task: Callable[[], None]) -> None:
        self._future = self._pool.submit(self._run, task)

    def wait(self) -> BaseException | None:
        """Of the task that was started last, once."""
        if self._future is None:
            return None
        error = self._future.exception()
        self._future = None
        return error

    def close(self) -> None:
        self._pool.shutdown(wait=True)

    def _run(self, task: Callable[[], None]) -> None:
        start = time.thread_time()
        try:
            task()
        finally:
            self.cost = time.thread_time() - start
