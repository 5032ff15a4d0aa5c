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


def tell(number: int) -> None:
    """As if this process had got the signal, to be obeyed between two steps: for threads."""
    for stop in list(_listening):
        stop.hear(number)


class Stop:
    """Outside training steps a signal stops at once; inside, when the step has been kept.

    `waits` is set by who will look at `asked` soon. The second signal never waits, but where other
    processes of a `group` are to stop at the same step: these agree on it.
    """

    def __init__(self, group: ProcessGroup = ALONE) -> None:
        self.group = group
        self.waits = False
        self.asked: int | None = None
        self._heard_here = 0

    def told(self) -> bool:
        """Whether to stop now; of a group, all processes ask at the same steps."""
        if not self.group.alone:
            self.asked = self.group.maximum(self._heard_here) or None
        return self.asked is not None

    @contextmanager
    def listening(self) -> Iterator[Stop]:
        """In the main thread; elsewhere Python allows no handlers, and only `tell` is heard."""
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

    def obey(self) -> None:
        """Raises Stopped if that was asked for."""
        if self.asked is not None:
            raise Stopped(self.asked)

    def hear(self, number: int) -> None:
        """Without ever raising."""
        self._heard_here = number
        if self.group.alone:
            self.asked = number

    def _heard(self, number: int, frame: FrameType | None) -> None:
        at_once = self.asked is not None or not self.waits
        self.hear(number)
        if at_once:
            self.asked = number
            raise Stopped(number)
