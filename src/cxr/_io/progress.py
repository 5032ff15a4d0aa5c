"""Progress: a bar on a terminal or in a notebook, plain lines elsewhere, nothing when disabled."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING

# rich takes a tenth of a second to load, which a server on its way up has no use for.
if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

PLAIN_LINE_EVERY_S = 10.0

_state = threading.local()


def _disabled() -> bool:
    return getattr(_state, "disabled", False)


@contextmanager
def progress_disabled() -> Iterator[None]:
    """No bars and no lines inside this block (tests, `--json`)."""
    before = _disabled()
    _state.disabled = True
    try:
        yield
    finally:
        _state.disabled = before


def _in_notebook() -> bool:
    """Whether this process is a kernel: others import its package, too."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and hasattr(ipython.get_ipython(), "kernel")


def say(line: str) -> None:
    """One plain line for the person who waits: to stderr, or into the notebook's cell."""
    if _disabled():
        return
    if _in_notebook():
        from rich.console import Console

        Console(file=sys.stdout).print(line, markup=False, highlight=False, soft_wrap=True)
        return
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


class Progress:
    """`with Progress("decoding", total=5232, unit="images") as p: p.advance(64)`.

    On a terminal or in a notebook a bar; in a log one line every 10 s and one at the end.
    """

    def __init__(self, what: str, total: int, unit: str = "images") -> None:
        self.what, self.total, self.unit = what, total, unit
        self.done = 0
        self._bar: RichProgress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Progress:
        self._start = self._last = time.monotonic()
        if not _disabled() and (_in_notebook() or sys.stderr.isatty()):
            self._bar = _bar()
            self._bar.start()
            self._task = self._bar.add_task(self.what, total=self.total, rate="")
        return self

    @property
    def rate(self) -> float:
        """Units a second since the start."""
        return self.done / max(time.monotonic() - self._start, 1e-9)

    def advance(self, n: int = 1) -> None:
        self.done += n
        if self._bar is not None and self._task is not None:
            rate = f"{self.rate:,.0f} {self.unit}/s"
            self._bar.update(self._task, completed=self.done, rate=rate)
        elif time.monotonic() - self._last > PLAIN_LINE_EVERY_S:
            self._last = time.monotonic()
            left = (self.total - self.done) / max(self.rate, 1e-9)
            say(
                f"{self.what}: {self.done:,} of {self.total:,} {self.unit}, "
                f"{self.rate:,.0f}/s, {left:.0f} s left"
            )

    def chunks(self, n: int, size: int) -> Iterator[int]:
        """Starts of chunks of `size` in `n`; each is counted once the next one is asked for."""
        for start in range(0, n, size):
            yield start
            self.advance(min(size, n - start))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()


def _bar() -> RichProgress:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as RichProgress

    return RichProgress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        # A notebook shows stdout; elsewhere stdout is left free for results.
        console=Console(file=sys.stdout if _in_notebook() else sys.stderr),
        transient=True,
    )
