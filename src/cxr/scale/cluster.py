"""A connection to Ray, for as long as it is needed."""

from __future__ import annotations

import logging
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

from ..errors import UsageError

TIMEOUT_S = 10.0


def import_ray() -> Any:
    """Raises UsageError with the command that installs it."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing of cxr phones home
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # its warnings come on our stderr
    try:
        import ray
    except ModuleNotFoundError as error:
        raise UsageError('Ray is not installed; run: pip install "cxr[ray]"') from error
    return ray


@contextmanager
def connected(address: str | None = None) -> Iterator[Any]:
    """The module `ray`, connected: to `address` or RAY_ADDRESS, else to a Ray of this machine only.

    A connection that is there already is used and left open; one made here is closed.
    Raises UsageError when there is no cluster at the address.
    """
    ray = import_ray()
    if ray.is_initialized():
        yield ray
        return
    address = address or os.environ.get("RAY_ADDRESS")
    try:
        _check_reachable(address)
        with _silenced():
            ray.init(
                address=address or "local",
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
            )
    except (OSError, ValueError) as error:
        raise UsageError(
            f"no connection to a Ray cluster at {address} ({type(error).__name__}); start one with "
            "ray start --head, and set RAY_AUTH_TOKEN where it asks for a token"
        ) from error
    try:
        # Ray reports workers that died on stdout, which is for results.
        with redirect_stdout(sys.stderr):
            yield ray
    finally:
        ray.shutdown()


@contextmanager
def _silenced() -> Iterator[None]:
    """Ray's core writes to stderr as it starts what is for its developers; errors it raises."""
    stderr = os.dup(2)
    try:
        with Path(os.devnull).open("wb") as nothing:
            os.dup2(nothing.fileno(), 2)
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)


def _check_reachable(address: str | None) -> None:
    """Raises OSError when nothing listens at HOST:PORT: Ray itself tries for four minutes."""
    host, _, port = (address or "").removeprefix("ray://").rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host, int(port)), TIMEOUT_S).close()
