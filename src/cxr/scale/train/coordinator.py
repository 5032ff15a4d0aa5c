"""What passes between the command and the workers that Ray runs for it, wherever these are."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, cast

from ...errors import CxrError

LONGEST = 300  # characters of a reason


@dataclass
class Coordinator:
    """Runs in a process of its own (a Ray actor), so that workers may come and go.

    `signal` that the command heard, 0 for none; `error` that no other try would mend; `attempts`
    begun so far, each by a new group of workers.
    """

    signal: int = 0
    error: CxrError | None = None
    attempts: int = 0
    lines: list[str] = field(default_factory=list)

    def log(self, text: str) -> None:
        self.lines.append(text)

    def drain(self) -> tuple[list[str], int]:
        """What was logged since the last time, and `attempts`."""
        lines, self.lines = self.lines, []
        return lines, self.attempts

    def begin_attempt(self) -> int:
        """How many attempts there have been before this one."""
        self.attempts += 1
        return self.attempts - 1

    def stop(self, signal: int) -> None:
        self.signal = signal

    def stop_signal(self) -> int:
        return self.signal

    def reject(self, error: CxrError) -> None:
        """The first error counts: the others follow from it."""
        self.error = self.error or error

    def rejection(self) -> CxrError | None:
        return self.error

    def is_over(self) -> bool:
        """Whether workers that have failed are not to be started again."""
        return self.error is not None or self.signal != 0


class LogStream(io.TextIOBase):
    """A stream whose other end is the coordinator."""

    def __init__(self, coordinator: Coordinator) -> None:
        self.coordinator = coordinator

    def write(self, text: str) -> int:
        self.coordinator.log(text)
        return len(text)


def start_coordinator() -> Any:
    """An actor on the machine of this process, with which it ends."""
    ray: Any = import_module("ray")
    affinity = import_module("ray.util.scheduling_strategies").NodeAffinitySchedulingStrategy
    here = affinity(ray.get_runtime_context().get_node_id(), soft=False)
    return ray.remote(num_cpus=0, scheduling_strategy=here)(Coordinator).remote()


def connect(actor: Any) -> Coordinator:
    """The coordinator behind the actor: what is called here is done there."""
    return cast(Coordinator, _RemoteCalls(actor))


class _RemoteCalls:
    def __init__(self, actor: Any) -> None:
        self._actor = actor

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._actor, name)
        return lambda *given: import_module("ray").get(method.remote(*given))


def restart_policy(actor: Any, max_failures: int) -> Any:
    """Whether workers that have failed are started again: a callback of Ray Train.

    It runs in a process of Ray Train's: raising there ends the training, and nothing heavy is
    imported.
    """
    callback: Any = import_module("ray.train").UserCallback

    class RestartPolicy(callback):
        failures = 0

        def after_exception(
            self, run_context: object, worker_exceptions: Mapping[int, Exception]
        ) -> None:
            coordinator = connect(actor)
            if coordinator.is_over():
                raise RuntimeError("another try would end the same")
            self.failures += 1
            if self.failures <= max_failures:
                coordinator.log(
                    f"{why_failed(worker_exceptions)}; all go on from the last state (failure "
                    f"{self.failures}, {max_failures} are allowed)\n"
                )

    return RestartPolicy()


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
