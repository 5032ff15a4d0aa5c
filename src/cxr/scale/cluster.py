"""A connection to Ray, for as long as it is needed."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..errors import UsageError


def import_ray() -> Any:
    """Raises UsageError with the command that installs it."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing of cxr phones home
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
    try:
        ray.init(
            address=address,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    except (ConnectionError, ValueError) as error:
        raise UsageError(
            f"no Ray cluster at {address or os.environ.get('RAY_ADDRESS')} "
            f"({type(error).__name__}); start one with: ray start --head"
        ) from error
    try:
        yield ray
    finally:
        ray.shutdown()
