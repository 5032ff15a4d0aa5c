"""More processes on this machine, which train together with the one that starts them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from ...errors import TrainingError, UsageError
from .process_group import STORE

END_S = 20.0
LOOPBACK = {"linux": "lo", "darwin": "lo0"}


@contextmanager
def workers(n: int, command: Sequence[str]) -> Iterator[None]:
    """`n` processes in all: this one leads, the others run `python -m cxr` with `command`.

    They talk over the loopback interface alone, print nothing, and end when this one does, however
    it does. Ctrl-C is this process's to hear. Raises UsageError when it is part of a group already,
    TrainingError with the last word of one that failed first.
    """
    if n == 1:
        yield
        return
    if "WORLD_SIZE" in os.environ:
        raise UsageError("--workers: torchrun has started the processes; leave the option out")
    with TemporaryDirectory(prefix="cxr-group-", ignore_cleanup_errors=True) as folder:
        common = {
            STORE: Path(folder, "store").as_uri(),
            "WORLD_SIZE": str(n),
            "LOCAL_WORLD_SIZE": str(n),
        }
        if sys.platform in LOOPBACK:
            common["GLOO_SOCKET_IFNAME"] = LOOPBACK[sys.platform]
        others = [_start(rank, common, command, Path(folder)) for rank in range(1, n)]
        before = dict(os.environ)
        os.environ.update(common, RANK="0", LOCAL_RANK="0")
        try:
            yield
        except TrainingError as error:
            words = _last_words(others, Path(folder))
            raise TrainingError(f"{error}{words}") from error
        finally:
            _restore(before)
            _end(others)


def _start(
    rank: int, common: dict[str, str], command: Sequence[str], folder: Path
) -> subprocess.Popen[bytes]:
    """In a session of its own: the terminal's Ctrl-C goes to the leading process only."""
    settings = {**os.environ, **common, "RANK": str(rank), "LOCAL_RANK": str(rank)}
    with (folder / f"{rank}.err").open("wb") as errors:
        return subprocess.Popen(
            [sys.executable, "-m", "cxr", *command],
            env=settings,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            start_new_session=True,
        )


def _last_words(others: Sequence[subprocess.Popen[bytes]], folder: Path) -> str:
    """Of the first process that ended by itself, why it did."""
    for rank, other in enumerate(others, 1):
        code = other.poll()
        if code:
            said = (folder / f"{rank}.err").read_text(errors="replace").strip().splitlines()
            return f" (process {rank} ended with {code}: {said[-1] if said else 'without a word'})"
    return ""


def _restore(before: dict[str, str]) -> None:
    for name in set(os.environ) - set(before):
        del os.environ[name]
    os.environ.update(before)


def _end(others: Sequence[subprocess.Popen[bytes]]) -> None:
    """Whoever is still at work then has lost its leader."""
    for other in others:
        try:
            other.wait(0 if sys.exc_info()[0] else END_S)
        except subprocess.TimeoutExpired:
            other.kill()
            other.wait()
