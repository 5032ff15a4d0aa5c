"""Large images one at a time: a small file may need more than a gigabyte to be decoded."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from ...pixels.load import pixels_in
from ...pixels.resources import give_back_memory

LARGE = 24_000_000
"""Pixels. An image of today's detectors, at most 4,300 by 4,300, passes without waiting."""

T = TypeVar("T")


class Gate:
    def __init__(self, large: int = LARGE) -> None:
        self.large = large
        self._one = threading.Lock()

    @contextmanager
    def passing(self, image: bytes) -> Iterator[None]:
        """Waits while another large image is decoded, if this one is large."""
        if pixels_in(image) <= self.large:
            yield
            return
        with self._one:
            try:
                yield
            finally:
                give_back_memory()

    def run(self, work: Callable[..., T], *given: Any) -> T:
        """`work(*given)`, the last of which is an image."""
        with self.passing(given[-1]):
            return work(*given)
