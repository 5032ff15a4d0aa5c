"""What one server takes on: its bounds, and large images one at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from ...pixels.load import pixels_in
from ...pixels.resources import give_back_memory

MIB = 1024**2
LARGE = 24_000_000
"""Pixels. An image of today's detectors, at most 4,300 by 4,300, passes without waiting."""

T = TypeVar("T")


@dataclass(frozen=True)
class Limits:
    """Sizes in bytes, times in seconds. Beyond `pending` or `memory` a client must try again
    later (429); beyond the others the request is refused for good."""

    body: int = 64 * MIB
    """One request. A 16-bit image of 4,000 x 5,000 pixels is 38 MiB."""
    tensor_body: int = 8 * MIB
    """One request of the Open Inference Protocol: JSON, which needs ten times that in memory."""
    memory: int = 256 * MIB
    """All bodies that lie in memory at once."""
    files: int = 32
    """Images in one request."""
    pending: int = 64
    """Images that wait for the model or are with it."""
    background: int = 8
    """Images and explanations that wait or are made, apart from the predictions."""
    connections: int = 512
    head: int = 32 * 1024
    """Request line and headers."""

    workers: int | None = None
    """Threads that decode and predict; None: one for each CPU."""
    batch: int = 2
    """Images that go through the network at once, when many are waiting."""

    head_seconds: float = 10.0
    body_seconds: float = 60.0
    prediction_seconds: float = 30.0
    background_seconds: float = 120.0
    idle_seconds: float = 15.0
    """Between two requests of one connection."""
    drain_seconds: float = 20.0
    """For requests in flight when the server is to stop."""
    watch_seconds: float = 1.0
    """Between two looks at the model file."""
    retry_after: int = 1


class LargeImageLock:
    """Large images one at a time: a small file may need more than a gigabyte to be decoded."""

    def __init__(self, large: int = LARGE) -> None:
        self.large = large
        self._lock = threading.Lock()

    @contextmanager
    def hold(self, image: bytes) -> Iterator[None]:
        """Waits while another large image is decoded, if this one is large."""
        if pixels_in(image) <= self.large:
            yield
            return
        with self._lock:
            try:
                yield
            finally:
                give_back_memory()

    def run(self, work: Callable[..., T], *values: Any) -> T:
        """`work(*values)`, the last of which is an image."""
        with self.hold(values[-1]):
            return work(*values)
