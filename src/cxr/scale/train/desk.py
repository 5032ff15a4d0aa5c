"""What passes between the command and the workers that Ray runs for it, wherever these are."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, cast

from ...errors import CxrError


@dataclass
class Desk:
    """Runs in a process of its own (a Ray actor), so that workers may come and go.

    `signal` that the command heard, 0 for none; `error` that no other try would mend; `groups` of
    workers that have begun so far.
    """

    signal: int = 0
    error: CxrError | None = None
    groups: int = 0
    said: list[str] = field(default_factory=list)

    def say(self, text: str) -> None:
        self.said.append(text)

    def take(self) -> tuple[list[str], int]:
        """What has been said since the last time, and `groups`."""
        said, self.said = self.said, []
        return said, self.groups

    def begin(self) -> int:
        """Another group begins; how many there have been before."""
        self.groups += 1
        return self.groups - 1

    def stop(self, signal: int) -> None:
        self.signal = signal

    def stopped(self) -> int:
        return self.signal

    def refuse(self, error: CxrError) -> None:
        """The first refusal counts: what others say then follows from it."""
        self.error = self.error or error

    def refused(self) -> CxrError | None:
        return self.error

    def over(self) -> bool:
        """Whether a group that has failed is not to be started again."""
        return self.error is not None or self.signal != 0


class Wire(io.TextIOBase):
    """A stream whose other end is the desk."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def write(self, text: str) -> int:
        self.desk.say(text)
        return len(text)


def open_desk() -> Any:
    """An actor on the machine of this process, with which it ends."""
    ray: Any = import_module("ray")
    affinity = import_module("ray.util.scheduling_strategies").NodeAffinitySchedulingStrategy
    here = affinity(ray.get_runtime_context().get_node_id(), soft=False)
    return ray.remote(num_cpus=0, scheduling_strategy=here)(Desk).remote()


def reach(actor: Any) -> Desk:
    """The desk behind the actor: what is called here is done there."""
    return cast(Desk, _Calls(actor))


class _Calls:
    def __init__(self, actor: Any) -> None:
        self._actor = actor

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._actor, name)
        return lambda *given: import_module("ray").get(method.remote(*given))
