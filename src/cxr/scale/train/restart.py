"""Whether a group of workers that has failed is started again."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from .desk import reach

LONGEST = 300  # characters of a reason


def judge(actor: Any, max_failures: int) -> Any:
    """A callback of Ray Train, whose process it runs in: raising ends the training.

    Imports nothing heavy there.
    """
    callback: Any = import_module("ray.train").UserCallback

    class Judge(callback):
        failures = 0

        def after_exception(
            self, run_context: object, worker_exceptions: Mapping[int, Exception]
        ) -> None:
            desk = reach(actor)
            if desk.over():
                raise RuntimeError("another try would end the same")
            self.failures += 1
            if self.failures <= max_failures:
                desk.say(
                    f"{why_failed(worker_exceptions)}; all go on from the last state (failure "
                    f"{self.failures}, {max_failures} are allowed)\n"
                )

    return Judge()


def why_failed(errors: Mapping[int, Exception]) -> str:
    """One line: a process that died explains what the others say of it."""
    died = [rank for rank, error in errors.items() if "died" in str(error)]
    if died:
        return f"worker {died[0]} died"
    rank, error = next(iter(errors.items()))
    return f"worker {rank} failed ({last_line(error)})"


def last_line(error: BaseException) -> str:
    """Where a traceback has its error."""
    return (str(error).strip().splitlines() or [type(error).__name__])[-1][:LONGEST]
