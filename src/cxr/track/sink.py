"""What a place to follow a run must offer; none of them can hold up or end a training."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

from .._io import say
from .._io.markdown import one_line
from ..config import RunConfig
from .figures import Figures

LONGEST = 200  # characters of a reason


class Result(Protocol):
    """What a finished run left behind: `workflows.finish.RunResult`."""

    @property
    def folder(self) -> Path: ...

    @property
    def metrics(self) -> dict[str, Any]: ...


class Sink(Protocol):
    """May raise anything, and must not wait long. `begin` may be called again after a failure."""

    name: str

    def begin(self, config: RunConfig, run: Path) -> int:
        """Takes up the run. Returns the last step that is there already, or -1."""

    def epoch(self, step: int, figures: Figures, when: float) -> None:
        """`step` counts epochs over all phases from 0; `when` in seconds since 1970."""

    def finished(self, result: Result) -> None:
        """What the run came to. May be called again for the same result."""

    def close(self, state: str) -> None:
        """The last call: `finished`, `stopped` or `failed`."""


class GuardedSink:
    """A sink that is left alone once it has failed (`down`), which is said in a line.

    `done` is the last step that it holds.
    """

    def __init__(self, sink: Sink) -> None:
        self.sink, self.down, self.done = sink, False, -1

    def attempt(self, else_: str, what: Callable[..., object], *given: Any) -> bool:
        """Whether `what(*given)` worked; a failure is said, with what comes of it."""
        try:
            what(*given)
        except Exception as error:
            self.down = True
            say(f"{self.sink.name}: {reason(error)}; {else_}")
            return False
        return True

    def epoch(self, step: int, figures: Figures, when: float) -> None:
        """Sent once, even when an epoch is trained again."""
        if step > self.done:
            self.sink.epoch(step, figures, when)
            self.done = step


def reason(error: BaseException) -> str:
    """Why a sink failed, in one short line, without the login that an address may hold.

    Libraries wrap "Connection refused" into long sentences, several times: the system's own word
    is taken where there is one.
    """
    system = [one for one in _chain(error) if isinstance(one, OSError) and _is_own(one)]
    found = system[-1] if system else error
    said = (isinstance(found, OSError) and found.strerror) or str(found)
    text = without_login(one_line(said)) or type(found).__name__
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def without_login(text: str) -> str:
    return re.sub(r"//[^/\s@]*@", "//", text)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _is_own(error: BaseException) -> bool:
    return type(error).__module__ == "builtins"
