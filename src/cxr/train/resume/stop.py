"""Ctrl-C and SIGTERM, which wait for the end of a step so that its work can be kept."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from ..distributed.process_group import ALONE, ProcessGroup


class Stopped(KeyboardInterrupt):
    """Raised for `signal`; `exit_code` is what shells expect of a process that it ended."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.signal = number
        self.exit_code = 128 + number


_listening: list[Stop] = []


def deliver(number: int) -> None:
    """As if this process had got the signal, to end the run between two steps: for threads."""
    for stop in list(_listening):
        stop.hear(number)


class Stop:
    """Outside training steps a signal stops at once; inside, when the step has been kept.

    `defers` is set by who will ask `requested` soon. The second signal never waits, but where other
    processes of a `group` are to stop at the same step: these agree on it.
    """

    def __init__(self, group: ProcessGroup = ALONE) -> None:
        self.group = group
        self.defers = False
        self.signal: int | None = None
        self._heard_here = 0

    def requested(self) -> bool:
        """Whether to stop now; of a group, all processes ask at the same steps."""
        if not self.group.alone:
            self.signal = self.group.maximum(self._heard_here) or None
        return self.signal is not None

    @contextmanager
    def listening(self) -> Iterator[Stop]:
        """In the main thread; elsewhere Python allows no handlers, and only `deliver` is heard."""
        _listening.append(self)
        try:
            yield from self._handling()
        finally:
            _listening.remove(self)

    def _handling(self) -> Iterator[Stop]:
        if threading.current_thread() is not threading.main_thread():
            yield self
            return
        numbers = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, self._heard) for number in numbers}
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def raise_if_requested(self) -> None:
        """Raises Stopped if a signal was heard."""
        if self.signal is not None:
            raise Stopped(self.signal)

    def hear(self, number: int) -> None:
        """Without ever raising."""
        self._heard_here = number
        if self.group.alone:
            self.signal = number

    def _heard(self, number: int, frame: FrameType | None) -> None:
        at_once = self.signal is not None or not self.defers
        self.hear(number)
        if at_once:
            self.signal = number
            raise Stopped(number)
