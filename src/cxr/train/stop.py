"""Ctrl-C and SIGTERM, which wait for the end of a step so that its work can be kept."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Stopped(KeyboardInterrupt):
    """Raised for `signal`; `exit_code` is what shells expect of a process that it ended."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.signal = number
        self.exit_code = 128 + number


class Stop:
    """Outside training steps a signal stops at once; inside, when the step has been kept.

    `waits` is set by who will look at `asked` soon. The second signal never waits.
    """

    def __init__(self) -> None:
        self.waits = False
        self.asked: int | None = None

    @contextmanager
    def listening(self) -> Iterator[Stop]:
        """In the main thread; elsewhere Python allows no handlers, and nothing changes."""
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

    def _heard(self, number: int, frame: FrameType | None) -> None:
        at_once = self.asked is not None or not self.waits
        self.asked = number
        if at_once:
            raise Stopped(number)
